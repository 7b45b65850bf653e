#include <boost/test/unit_test.hpp>

#include "actors/compute/cancelled_waits.hpp"
#include "actors/compute/proposer_lifecycle.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using actors::compute::cancelled_waits;
using actors::compute::proposer_lifecycle;
using consensus::term;
using core::lsn;

core::monotonic_time at(std::chrono::milliseconds time) { return core::monotonic_time(time); }

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_compute_proposer_lifecycle)

BOOST_AUTO_TEST_CASE(it_is_synced_once_and_only_after_an_election) {
  proposer_lifecycle life;
  BOOST_TEST(!life.synced());
  life.won(term{3});
  BOOST_TEST(!life.is_synced());
  BOOST_TEST(life.synced());
  BOOST_TEST(!life.synced());
  life.streams();
  life.won(term{4});
  BOOST_TEST(life.streamed());
  BOOST_TEST(life.is_synced());
  BOOST_TEST(!life.synced());
}

BOOST_AUTO_TEST_CASE(earlier_terms_count_until_a_quorum_has_the_present_one) {
  proposer_lifecycle life;
  life.won(term{3});
  life.settled(term{3});
  BOOST_TEST((life.own_terms() == std::vector{term{3}}));
  life.won(term{5});
  life.won(term{6});
  BOOST_TEST((life.own_terms() == std::vector{term{3}, term{5}, term{6}}));
  life.settled(term{6});
  BOOST_TEST((life.own_terms() == std::vector{term{6}}));
}

BOOST_AUTO_TEST_CASE(being_superseded_is_final) {
  proposer_lifecycle life;
  BOOST_TEST(!life.ends());
  BOOST_TEST(life.leave());
  BOOST_TEST(!life.leave());
  BOOST_TEST(life.leaving());
  BOOST_TEST(life.supersede());
  BOOST_TEST(!life.supersede());
  BOOST_TEST(life.is_superseded());
  BOOST_TEST(!life.leaving());
  BOOST_TEST(!life.leave());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_compute_cancelled_waits)

using verdict = cancelled_waits::verdict;

BOOST_AUTO_TEST_CASE(a_wait_ends_when_its_position_is_committed) {
  cancelled_waits waits(5s);
  BOOST_TEST((waits.judge(lsn(100), at(0s)) == verdict::none));
  BOOST_TEST(waits.cancelled(at(0s)));
  // Without a position nothing shows that it is durable.
  BOOST_TEST((waits.judge(lsn(500), at(1s)) == verdict::none));
  waits.flushed_to(lsn(200));
  BOOST_TEST((waits.judge(lsn(199), at(2s)) == verdict::none));
  BOOST_TEST((waits.judge(lsn(200), at(3s)) == verdict::none));
  BOOST_TEST((waits.judge(lsn(0), at(9s)) == verdict::none));
}

BOOST_AUTO_TEST_CASE(another_one_meanwhile_begins_anew_when_the_first_is_durable) {
  cancelled_waits waits(5s);
  BOOST_TEST(waits.cancelled(at(0s)));
  BOOST_TEST(!waits.cancelled(at(1s)));
  waits.flushed_to(lsn(200));
  BOOST_TEST((waits.judge(lsn(300), at(2s)) == verdict::again));
  BOOST_TEST(waits.cancelled(at(2s)));
  BOOST_TEST((waits.judge(lsn(300), at(7s)) == verdict::none));
  BOOST_TEST((waits.judge(lsn(300), at(7001ms)) == verdict::overdue));
}

BOOST_AUTO_TEST_CASE(what_is_not_durable_within_the_limit_is_overdue_unless_the_server_has_ended) {
  cancelled_waits waits(5s);
  BOOST_TEST(waits.cancelled(at(0s)));
  waits.flushed_to(lsn(200));
  BOOST_TEST((waits.judge(lsn(100), at(5s)) == verdict::none));
  BOOST_TEST((waits.judge(lsn(100), at(5001ms)) == verdict::overdue));
  waits.forget();
  waits.flushed_to(lsn(50));
  BOOST_TEST((waits.judge(lsn(0), at(9s)) == verdict::none));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
