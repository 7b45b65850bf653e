#include "host/client_activity.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::host {
namespace {

using namespace std::chrono_literals;

/// One minute after the one before, with one session of ours for each.
struct with_looks {
  void look(const activity_sample& seen) {
    now += 1min;
    activity.own_session();
    activity.looked(seen, now);
  }
  /// `others`: sessions of clients since the beginning.
  [[nodiscard]] activity_sample sessions(std::int64_t others, std::int64_t ours) const {
    return {.epoch = epoch, .sessions = others + ours, .active = false, .last = std::nullopt};
  }
  std::string epoch = "a";
  core::wall_time now{100h};
  client_activity activity;
};

BOOST_FIXTURE_TEST_SUITE(host_client_activity, with_looks)

BOOST_AUTO_TEST_CASE(our_own_sessions_are_nobodys_activity) {
  for (int i = 1; i <= 5; ++i) look(sessions(0, i));
  BOOST_TEST(!activity.last().has_value());
}

BOOST_AUTO_TEST_CASE(a_session_that_came_and_went_is_active_at_the_next_look) {
  look(sessions(0, 1));
  look(sessions(1, 2));
  const auto then = now;
  BOOST_TEST((activity.last() == then));
  look(sessions(1, 3));
  BOOST_TEST((activity.last() == then));
}

BOOST_AUTO_TEST_CASE(an_idle_session_was_active_when_it_became_idle_and_one_in_a_transaction_is_now) {
  auto seen = sessions(0, 1);
  seen.last = now - 10min;
  look(seen);
  BOOST_TEST((activity.last() == *seen.last));
  auto active = sessions(0, 2);
  active.active = true;
  look(active);
  BOOST_TEST((activity.last() == now));
  const auto then = now;
  seen.sessions = 3;
  look(seen);
  BOOST_TEST((activity.last() == then));
}

BOOST_AUTO_TEST_CASE(a_session_of_ours_that_is_not_counted_yet_hides_nobody_for_long) {
  look(sessions(0, 0));
  look(sessions(0, 1));
  BOOST_TEST(!activity.last().has_value());
  look(sessions(1, 2));
  look(sessions(1, 4));
  BOOST_TEST((activity.last() == now));
}

BOOST_AUTO_TEST_CASE(a_postgres_that_was_started_again_may_have_lost_its_counts_or_not) {
  look(sessions(7, 1));
  const auto then = now;
  activity.new_incarnation();
  look(sessions(7, 2));
  BOOST_TEST((activity.last() == then));
  activity.new_incarnation();
  epoch = "b";
  look(sessions(0, 1));
  BOOST_TEST((activity.last() == then));
  look(sessions(1, 2));
  BOOST_TEST((activity.last() == now));
}

BOOST_AUTO_TEST_CASE(somebody_who_resets_the_counts_is_active) {
  look(sessions(50, 1));
  look(sessions(50, 2));
  look(sessions(0, 0));
  BOOST_TEST((activity.last() == now));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
