#include "actors/compute/replay_lag.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::actors::compute;
using namespace std::chrono_literals;

namespace {

struct with_lag {
  core::lsn at(std::uint64_t value) const { return core::lsn(value); }
  replay_lag lag;
  replay_lag::time now{1000s};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_compute_replay_lag, with_lag)

BOOST_AUTO_TEST_CASE(it_is_unknown_until_both_ends_are_known) {
  BOOST_TEST(!lag.now(now).has_value());
  lag.head_seen(at(100), now);
  BOOST_TEST(!lag.now(now).has_value());
  lag.replayed(at(0), now);
  BOOST_TEST(!lag.now(now).has_value());
  lag.replayed(at(100), now);
  BOOST_TEST(lag.now(now)->bytes == 0u);
}

BOOST_AUTO_TEST_CASE(it_is_as_old_as_the_oldest_head_that_is_not_replayed) {
  lag.head_seen(at(100), now);
  lag.head_seen(at(200), now + 1s);
  lag.head_seen(at(300), now + 2s);
  lag.replayed(at(150), now + 2s);
  BOOST_TEST(lag.now(now + 2s)->bytes == 150u);
  BOOST_TEST((lag.now(now + 2s)->age == 1s));
  lag.replayed(at(300), now + 3s);
  BOOST_TEST(lag.now(now + 3s)->bytes == 0u);
  BOOST_TEST((lag.now(now + 3s)->age == 0ms));
}

BOOST_AUTO_TEST_CASE(old_reports_are_no_knowledge) {
  lag.head_seen(at(100), now);
  lag.replayed(at(100), now);
  BOOST_TEST(lag.now(now + replay_lag::report_age_max).has_value());
  BOOST_TEST(!lag.now(now + replay_lag::report_age_max + 1ms).has_value());
  lag.replayed(at(100), now + 4s);
  BOOST_TEST(!lag.now(now + 4s).has_value());
  lag.head_seen(at(100), now + 4s);
  BOOST_TEST(lag.now(now + 4s).has_value());
}

BOOST_AUTO_TEST_CASE(another_follower_of_the_branch_shows_a_lag_and_never_that_there_is_none) {
  lag.replayed(at(100), now);
  lag.head_passed(at(100), now);
  BOOST_TEST(!lag.now(now).has_value());
  lag.head_passed(at(160), now);
  BOOST_TEST(lag.now(now)->bytes == 60u);
}

BOOST_AUTO_TEST_CASE(a_lag_that_lasts_keeps_its_age_in_bounded_memory) {
  lag.replayed(at(1), now);
  for (int second = 0; second < 5000; ++second) {
    lag.head_seen(at(100 + second), now + second * 1s);
    lag.replayed(at(1), now + second * 1s);
  }
  BOOST_TEST((lag.now(now + 4999s)->age == 4999s));
  BOOST_TEST(lag.now(now + 4999s)->bytes == 5098u);
}

BOOST_AUTO_TEST_CASE(a_new_incarnation_begins_with_nothing) {
  lag.head_seen(at(100), now);
  lag.replayed(at(100), now);
  lag.reset();
  BOOST_TEST(!lag.now(now).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
