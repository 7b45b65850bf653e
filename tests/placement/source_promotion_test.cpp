#include "placement/source_promotion.hpp"

#include <boost/test/unit_test.hpp>
#include <tuple>

#include "tests/placement/exploration.hpp"

namespace strata::tests {
namespace {

using core::lsn;
using placement::source_promotion;
using step = source_promotion::step;

/// A promotion with the WAL that the source has (up to 20), and who writes the branch.
struct world {
  explicit world(bool force) : promotion(force), forced(force) {}

  source_promotion promotion;
  bool forced;
  bool receiver = true;
  std::uint64_t received = 10;
  std::uint64_t durable = 0;
  bool stored = false;

  [[nodiscard]] auto key() const { return std::tuple(promotion.now(), forced, receiver, received, durable, stored); }
};

std::vector<world> next(const world& from) {
  std::vector<world> made;
  const auto add = [&](auto input) {
    world to = from;
    input(to);
    BOOST_TEST(to.promotion.broken_invariant() == "");
    made.push_back(std::move(to));
  };
  switch (from.promotion.now()) {
    case step::ask_source:
      add([](world& of) { of.promotion.source_answered(lsn(20)); });
      add([](world& of) { of.promotion.source_lost({core::errc::unavailable, "away"}); });
      break;
    case step::catch_up:
      add([](world& of) {
        of.received = 20;
        of.promotion.caught_up();
      });
      add([](world& of) { of.promotion.source_lost({core::errc::timeout, "behind"}); });
      break;
    case step::end_receiver:
      add([](world& of) {
        of.receiver = false;
        of.promotion.receiver_ended();
      });
      break;
    case step::flush:
      add([](world& of) {
        of.durable = of.received;
        of.promotion.flushed(lsn(of.received), lsn(of.durable));
      });
      add([](world& of) { of.promotion.flushed(lsn(of.received), lsn(of.received - 1)); });
      add([](world& of) { of.promotion.fail({core::errc::disk_full, "full"}); });
      break;
    case step::store_record:
      add([](world& of) {
        of.stored = true;
        of.promotion.record_stored();
      });
      add([](world& of) { of.promotion.fail({core::errc::disk_full, "full"}); });
      break;
    case step::create_wal: add([](world& of) { of.promotion.wal_created(); }); break;
    case step::promoted:
    case step::failed: break;
  }
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_source_promotion)

BOOST_AUTO_TEST_CASE(after_a_crash_the_branch_has_its_source_or_all_wal_up_to_where_its_own_begins) {
  for (const bool force : {false, true}) {
    bool is_promoted = false;
    for (const world& each : explore(world(force), next)) {
      if (each.stored) {
        BOOST_TEST(!each.receiver);
        BOOST_TEST(each.durable == each.received);
        BOOST_TEST((each.promotion.boundary() == lsn(each.received)));
        BOOST_TEST((each.received == 20 || force));
        BOOST_TEST(each.promotion.missing().empty() == (each.received == 20));
      }
      if (each.promotion.now() == step::failed) {
        BOOST_TEST(!each.stored);
        BOOST_TEST(each.promotion.resumes() == !each.receiver);
        BOOST_TEST(!each.promotion.error().detail.empty());
      }
      is_promoted = is_promoted || each.promotion.now() == step::promoted;
    }
    BOOST_TEST(is_promoted);
  }
}

BOOST_AUTO_TEST_CASE(a_source_that_is_away_is_left_only_when_that_is_forced) {
  source_promotion careful(false);
  careful.source_lost({core::errc::unavailable, "the source does not answer"});
  BOOST_TEST((careful.now() == step::failed));
  BOOST_TEST(!careful.resumes());
  source_promotion forced(true);
  forced.source_lost({core::errc::unavailable, "the source does not answer"});
  BOOST_TEST((forced.now() == step::end_receiver));
  BOOST_TEST(forced.missing() == "the source does not answer");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
