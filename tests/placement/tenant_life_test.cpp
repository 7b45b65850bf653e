#include "placement/tenant_life.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <tuple>

#include "tests/placement/exploration.hpp"

namespace strata::tests {
namespace {

using messages::tenant_state;
using placement::tenant_admission;
using placement::tenant_effect;
using placement::tenant_life;
using placement::tenant_need;

constexpr tenant_need all_needs[] = {tenant_need::information, tenant_need::list, tenant_need::timeline,
                                     tenant_need::change, tenant_need::removal};

/// A tenant with what its owner does for it, and everything that may happen.
struct world {
  tenant_life life;
  bool loading = true;
  bool request_waits = false;
  bool timelines_run = false;
  bool stop_awaited = false;
  bool removal_runs = false;
  bool ended = false;

  [[nodiscard]] auto key() const {
    return std::tuple(life.state(), life.reason(), loading, request_waits, timelines_run, stop_awaited, removal_runs,
                      ended);
  }

  void carry_out(const tenant_life::effects& effects) {
    for (const tenant_effect each : effects) {
      BOOST_TEST_REQUIRE(!ended);
      switch (each) {
        case tenant_effect::start_timelines:
          BOOST_TEST_REQUIRE((!timelines_run && !removal_runs));
          timelines_run = true;
          break;
        case tenant_effect::answer_waiting:
          for (const tenant_need need : all_needs) BOOST_TEST_REQUIRE((life.admit(need) != tenant_admission::wait));
          request_waits = false;
          break;
        case tenant_effect::stop_timelines: stop_awaited = true; break;
        case tenant_effect::remove_metadata:
          BOOST_TEST_REQUIRE((!timelines_run && !removal_runs));
          removal_runs = true;
          break;
        case tenant_effect::end:
          BOOST_TEST_REQUIRE(!timelines_run);
          ended = true;
          break;
      }
    }
  }
  void stopped() {
    stop_awaited = false;
    timelines_run = false;
    carry_out(life.timelines_stopped());
  }
};

std::vector<world> next(const world& from) {
  std::vector<world> made;
  if (from.ended) return made;
  const auto add = [&](auto input) {
    world to = from;
    input(to);
    made.push_back(std::move(to));
  };
  for (const tenant_need need : all_needs)
    if (from.life.admit(need) == tenant_admission::wait) add([](world& of) { of.request_waits = true; });
  add([](world& of) { of.carry_out(of.life.stop()); });
  if (from.loading) {
    add([](world& of) { of.loading = false, of.carry_out(of.life.loaded()); });
    add([](world& of) { of.loading = false, of.carry_out(of.life.load_failed("unreadable")); });
  }
  if (from.life.admit(tenant_need::removal) == tenant_admission::serve)
    add([](world& of) { of.carry_out(of.life.remove()); });
  if (from.stop_awaited) add([](world& of) { of.stopped(); });
  if (from.removal_runs) {
    add([](world& of) { of.removal_runs = false, of.carry_out(of.life.removed()); });
    add([](world& of) { of.removal_runs = false, of.carry_out(of.life.removal_failed("no space")); });
  }
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_tenant_life)

BOOST_AUTO_TEST_CASE(whatever_happens_the_invariants_hold) {
  std::set<tenant_state> reached;
  std::set<std::string> reasons;
  const auto worlds = explore(world{}, next);
  for (const world& each : worlds) {
    const tenant_life& life = each.life;
    reached.insert(life.state());
    reasons.insert(life.reason());
    BOOST_TEST(life.broken_invariant() == "");
    // A request waits for the load and for nothing else.
    BOOST_TEST((!each.request_waits || life.state() == tenant_state::attaching));
    // Timelines are used and changed only where they run and stay.
    for (const tenant_need need : {tenant_need::timeline, tenant_need::change})
      if (life.admit(need) == tenant_admission::serve) BOOST_TEST((each.timelines_run && !each.stop_awaited));
    BOOST_TEST((life.admit(tenant_need::information) == tenant_admission::serve));
    BOOST_TEST((!each.removal_runs || !each.timelines_run));
  }
  // A tenant that is being imported has no life yet.
  BOOST_TEST(reached.size() == messages::tenant_states.size() - 1);
  BOOST_TEST(reasons == (std::set<std::string>{"", "unreadable", "no space"}), boost::test_tools::per_element());
  BOOST_TEST_MESSAGE(worlds.size() << " worlds");
}

BOOST_AUTO_TEST_CASE(a_tenant_that_is_told_to_stop_ends_whatever_it_was_doing) {
  for (world each : explore(world{}, next)) {
    if (each.ended) continue;
    each.carry_out(each.life.stop());
    BOOST_TEST(!each.request_waits);
    BOOST_TEST_REQUIRE(each.stop_awaited);
    each.stopped();
    BOOST_TEST(each.ended);
  }
}

BOOST_AUTO_TEST_CASE(a_broken_tenant_says_why_and_can_be_deleted) {
  tenant_life life;
  life.load_failed("its metadata is damaged");
  BOOST_TEST(life.refusal("shop").detail == "tenant shop is broken: its metadata is damaged");
  BOOST_TEST((life.refusal("shop").code == core::errc::unavailable));
  BOOST_TEST((life.admit(tenant_need::list) == tenant_admission::serve));
  BOOST_TEST((life.admit(tenant_need::timeline) == tenant_admission::refuse));
  BOOST_TEST((life.admit(tenant_need::removal) == tenant_admission::serve));
  life.remove();
  BOOST_TEST(life.refusal("shop").detail == "tenant shop is deleting");
  BOOST_TEST((life.admit(tenant_need::removal) == tenant_admission::refuse));
}

BOOST_AUTO_TEST_CASE(a_load_that_comes_back_after_the_stop_starts_nothing) {
  tenant_life life;
  life.stop();
  BOOST_TEST(life.loaded().empty());
  BOOST_TEST((life.state() == tenant_state::stopping));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
