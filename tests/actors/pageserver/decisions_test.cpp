#include <boost/test/unit_test.hpp>

#include "actors/pageserver/maintenance/circuit_breaker.hpp"
#include "actors/pageserver/maintenance/retention.hpp"
#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/pages/lsn_waiters.hpp"
#include "actors/pageserver/tenant_manager.hpp"
#include "actors/pageserver/timeline_order.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::pageserver;
using core::lsn;

core::monotonic_time at(std::chrono::milliseconds time) { return core::monotonic_time(time); }

template <class Entries>
std::vector<int> names(const Entries& entries) {
  std::vector<int> found;
  for (const auto& entry : entries) found.push_back(entry.waiter);
  return found;
}

core::timeline_id id(std::uint8_t number) { return {{number}}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_pageserver_lsn_waiters)

BOOST_AUTO_TEST_CASE(those_whose_lsn_is_reached_are_taken_out_in_lsn_order) {
  lsn_waiters<int> waiters;
  waiters.add(lsn(30), at(1s), 3);
  waiters.add(lsn(10), at(1s), 1);
  waiters.add(lsn(20), at(1s), 2);
  waiters.add(lsn(20), at(1s), 4);
  BOOST_TEST(names(waiters.reached(lsn(9))).empty());
  BOOST_TEST(names(waiters.reached(lsn(20))) == (std::vector{1, 2, 4}), boost::test_tools::per_element());
  BOOST_TEST(waiters.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_deadline_takes_out_the_late_ones_only) {
  lsn_waiters<int> waiters;
  waiters.add(lsn(10), at(100ms), 1);
  waiters.add(lsn(20), at(50ms), 2);
  BOOST_TEST(names(waiters.expired(at(49ms))).empty());
  BOOST_TEST(names(waiters.expired(at(50ms))) == std::vector{2}, boost::test_tools::per_element());
  BOOST_TEST(names(waiters.all()) == std::vector{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_retention)

constexpr readable_window window{lsn(100), lsn(200)};

BOOST_AUTO_TEST_CASE(a_branch_point_must_lie_in_the_window) {
  retention keep;
  BOOST_TEST(keep.add_branch_point(id(1), lsn(100), window));
  BOOST_TEST(keep.add_branch_point(id(2), lsn(200), window));
  const auto early = keep.add_branch_point(id(3), lsn(99), window);
  BOOST_REQUIRE(!early);
  BOOST_TEST(early.error().code == core::errc::out_of_range);
  BOOST_TEST(early.error().detail.find("0/64 to 0/C8") != std::string::npos);
  BOOST_TEST(!keep.add_branch_point(id(3), lsn(201), window).has_value());
}

BOOST_AUTO_TEST_CASE(no_point_below_the_cutoff_of_a_running_collection_is_given_out) {
  retention keep;
  BOOST_REQUIRE(keep.add_branch_point(id(1), lsn(120), window).has_value());
  const auto asked = keep.begin_collection(lsn(150));
  BOOST_TEST(asked.cutoff == lsn(150));
  BOOST_TEST((asked.branch_points == std::vector{lsn(120)}));
  BOOST_TEST(!keep.add_branch_point(id(2), lsn(149), window).has_value());
  BOOST_TEST(!keep.lease(lsn(149), window, {}, 1min).has_value());
  BOOST_TEST(!keep.hold(lsn(149), window).has_value());
  // A child's point is kept, and may be read.
  BOOST_TEST(keep.lease(lsn(120), window, {}, 1min));
  BOOST_TEST(keep.add_branch_point(id(2), lsn(150), window));
  // The child that was there before may be confirmed.
  BOOST_TEST(keep.add_branch_point(id(1), lsn(120), window));
  keep.end_collection();
  BOOST_TEST(keep.add_branch_point(id(3), lsn(149), window));
}

BOOST_AUTO_TEST_CASE(a_lease_is_kept_until_it_expires_and_never_shortened) {
  retention keep;
  const core::monotonic_time now{};
  BOOST_TEST(keep.lease(lsn(110), window, now, 10min).value() == 10min);
  BOOST_TEST(keep.lease(lsn(110), window, now + 1min, 1min).value() == 9min);
  BOOST_TEST((keep.begin_collection(lsn(150)).branch_points == std::vector{lsn(110)}));
  // A leased point can still be leased and branched at, although the window has moved on.
  BOOST_TEST(keep.lease(lsn(110), window, now + 5min, 10min));
  BOOST_TEST(keep.add_branch_point(id(1), lsn(110), window));
  keep.end_collection();
  keep.remove_branch_point(id(1));
  keep.expire_leases(now + 15min);
  BOOST_TEST(keep.begin_collection(lsn(150)).branch_points.empty());
}

BOOST_AUTO_TEST_CASE(what_is_held_is_kept_until_the_last_holder_lets_go) {
  retention keep;
  BOOST_REQUIRE(keep.hold(lsn(110), window).has_value());
  BOOST_REQUIRE(keep.hold(lsn(110), window).has_value());
  BOOST_REQUIRE(keep.lease(lsn(110), window, {}, 1min).has_value());
  keep.expire_leases(core::monotonic_time{} + 24h);
  keep.release(lsn(110));
  BOOST_TEST((keep.begin_collection(lsn(150)).branch_points == std::vector{lsn(110)}));
  keep.end_collection();
  keep.release(lsn(110));
  keep.release(lsn(110));
  BOOST_TEST(keep.begin_collection(lsn(150)).branch_points.empty());
  BOOST_TEST(!keep.hold(lsn(110), window).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_circuit_breaker)

BOOST_AUTO_TEST_CASE(it_opens_after_failures_in_a_row_and_lets_one_try_through_after_each_pause) {
  circuit_breaker breaker({.failures_max = 2, .pause_first = 100ms, .pause_max = 300ms});
  breaker.failed(at(0ms));
  BOOST_TEST(breaker.allows(at(0ms)));
  breaker.failed(at(0ms));
  BOOST_TEST(breaker.open());
  BOOST_TEST(!breaker.allows(at(99ms)));
  BOOST_TEST(breaker.allows(at(100ms)));
  breaker.failed(at(100ms));
  BOOST_TEST(!breaker.allows(at(299ms)));
  BOOST_TEST(breaker.allows(at(300ms)));
  breaker.failed(at(300ms));
  BOOST_TEST(!breaker.allows(at(599ms)));
  BOOST_TEST(breaker.allows(at(600ms)));
  breaker.succeeded();
  BOOST_TEST(!breaker.open());
  breaker.failed(at(600ms));
  BOOST_TEST(breaker.allows(at(600ms)));
}

BOOST_AUTO_TEST_CASE(permits_come_back_when_they_are_let_go) {
  work_permits permits(1);
  {
    const auto first = permits.try_take();
    BOOST_TEST(first);
    BOOST_TEST(!permits.try_take().has_value());
  }
  BOOST_TEST(permits.try_take());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_timeline_order)

storage::timeline_record record(std::uint8_t number, std::optional<std::uint8_t> ancestor) {
  storage::timeline_record made{.id = id(number)};
  if (ancestor) made.ancestor = id(*ancestor);
  return made;
}

BOOST_AUTO_TEST_CASE(ancestors_come_before_their_descendants) {
  const auto ordered = order_by_ancestry({record(3, 2), record(2, 1), record(4, 1), record(1, std::nullopt)});
  BOOST_TEST(ordered.stranded.empty());
  BOOST_REQUIRE(ordered.usable.size() == 4u);
  std::vector<core::timeline_id> seen;
  for (const auto& timeline : ordered.usable) {
    if (timeline.ancestor) BOOST_TEST((std::find(seen.begin(), seen.end(), *timeline.ancestor) != seen.end()));
    seen.push_back(timeline.id);
  }
}

BOOST_AUTO_TEST_CASE(rings_and_orphans_are_set_apart) {
  const auto ordered = order_by_ancestry({record(1, std::nullopt), record(2, 3), record(3, 2), record(5, 9)});
  BOOST_TEST(ordered.usable.size() == 1u);
  BOOST_TEST(ordered.stranded.size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_pageserver_tenant_manager)

BOOST_AUTO_TEST_CASE(a_slot_has_only_letters_that_postgres_takes) {
  BOOST_TEST(default_slot("shop") == "strata_shop");
  BOOST_TEST(default_slot("Web-Shop.2") == "strata_web_shop_2");
  BOOST_TEST(default_slot(std::string(100, 'a')).size() == 63u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
