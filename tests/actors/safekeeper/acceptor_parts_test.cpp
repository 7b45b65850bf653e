#include <boost/test/unit_test.hpp>

#include "actors/safekeeper/journal_maintenance.hpp"
#include "actors/safekeeper/reports.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::safekeeper;
using core::lsn;

core::monotonic_time at(std::chrono::seconds time) { return core::monotonic_time(time); }

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_safekeeper_journal_maintenance)

BOOST_AUTO_TEST_CASE(positions_are_saved_after_a_segment_or_five_minutes_of_change) {
  journal_maintenance schedule;
  schedule.saved(lsn(1000), at(0s));
  BOOST_TEST(!schedule.save_due(lsn(1100), 100, at(1s)));
  BOOST_TEST(schedule.save_due(lsn(1101), 100, at(1s)));
  BOOST_TEST(!schedule.save_due(lsn(1001), 100, at(299s)));
  BOOST_TEST(schedule.save_due(lsn(1001), 100, at(300s)));
  BOOST_TEST(!schedule.save_due(lsn(1000), 100, at(1000s)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_safekeeper_reports)

BOOST_AUTO_TEST_CASE(the_latest_word_of_each_peer_counts_until_it_is_old) {
  reports got;
  got.received({.safekeeper = 1, .commit_lsn = lsn(10)}, at(0s));
  got.received({.safekeeper = 2, .commit_lsn = lsn(20)}, at(0s));
  got.received({.safekeeper = 1, .commit_lsn = lsn(30)}, at(1s));
  BOOST_REQUIRE(got.peers.size() == 2u);
  BOOST_TEST(got.peers[0].info.commit_lsn == lsn(30));
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(journal::peer_lifetime);
  got.forget_old(at(life + 1s));
  BOOST_REQUIRE(got.peers.size() == 1u);
  BOOST_TEST(got.peers[0].info.safekeeper == 1u);
}

BOOST_AUTO_TEST_CASE(more_peers_than_a_timeline_can_have_are_left_out) {
  reports got;
  for (std::uint64_t id = 1; id <= consensus::members_max + 3; ++id) got.received({.safekeeper = id}, at(0s));
  BOOST_TEST(got.peers.size() == consensus::members_max);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
