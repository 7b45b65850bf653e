#include "core/admission.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace strata::core {
namespace {

using enum seat_use;

seat of(std::uint64_t number, const char* peer, seat_use use, int since) {
  return {number, peer, use, monotonic_time(std::chrono::seconds(since))};
}

/// The number that is dropped, 0 when nobody is, -1 when the newcomer is refused.
std::int64_t outcome(const std::vector<seat>& seats, const char* newcomer, seat_limits limits) {
  const admission made = admit(seats, newcomer, limits);
  if (!made.admitted) return -1;
  return made.drop ? static_cast<std::int64_t>(*made.drop) : 0;
}

BOOST_AUTO_TEST_SUITE(core_admission)

BOOST_AUTO_TEST_CASE(below_the_limits_nobody_is_dropped) {
  BOOST_TEST(outcome({}, "10.0.0.1", {1, 1}) == 0);
  BOOST_TEST(outcome({of(1, "10.0.0.1", fresh, 1), of(2, "10.0.0.2", fresh, 2)}, "10.0.0.1", {3, 2}) == 0);
}

BOOST_AUTO_TEST_CASE(the_longest_fresh_one_makes_room_before_any_idle_one) {
  const std::vector<seat> seats{of(1, "127.0.0.1", busy, 1), of(2, "127.0.0.1", idle, 2), of(3, "127.0.0.1", fresh, 4),
                                of(4, "127.0.0.1", fresh, 3)};
  BOOST_TEST(outcome(seats, "127.0.0.1", {4, 4}) == 4);
}

BOOST_AUTO_TEST_CASE(the_longest_idle_one_makes_room_when_all_have_begun) {
  const std::vector<seat> seats{of(1, "127.0.0.1", busy, 1), of(2, "127.0.0.1", idle, 5), of(3, "127.0.0.1", idle, 2)};
  BOOST_TEST(outcome(seats, "10.0.0.1", {3, 3}) == 3);
}

BOOST_AUTO_TEST_CASE(a_quiet_one_is_the_last_to_go) {
  std::vector<seat> seats{of(1, "127.0.0.1", quiet, 1), of(2, "127.0.0.1", idle, 5), of(3, "127.0.0.1", quiet, 0),
                          of(4, "127.0.0.1", busy, 0)};
  BOOST_TEST(outcome(seats, "127.0.0.1", {4, 4}) == 2);
  seats.erase(seats.begin() + 1);
  BOOST_TEST(outcome(seats, "127.0.0.1", {3, 3}) == 3);
}

BOOST_AUTO_TEST_CASE(nobody_who_is_served_is_dropped) {
  BOOST_TEST(outcome({of(1, "127.0.0.1", busy, 1), of(2, "127.0.0.1", busy, 2)}, "10.0.0.1", {2, 2}) == -1);
}

BOOST_AUTO_TEST_CASE(an_address_at_its_limit_makes_room_itself) {
  const std::vector<seat> seats{of(1, "10.0.0.2", fresh, 1), of(2, "10.0.0.1", fresh, 2), of(3, "10.0.0.1", fresh, 3)};
  BOOST_TEST(outcome(seats, "10.0.0.1", {9, 2}) == 2);
  BOOST_TEST(outcome(seats, "10.0.0.2", {9, 2}) == 0);
}

BOOST_AUTO_TEST_CASE(an_address_whose_limit_is_used_is_refused) {
  const std::vector<seat> seats{of(1, "10.0.0.2", fresh, 1), of(2, "10.0.0.1", busy, 2), of(3, "10.0.0.1", busy, 3)};
  BOOST_TEST(outcome(seats, "10.0.0.1", {9, 2}) == -1);
}

BOOST_AUTO_TEST_CASE(loopback_has_no_limit_of_its_own) {
  for (const char* peer : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}) {
    BOOST_TEST(outcome({of(1, peer, busy, 1), of(2, peer, busy, 2)}, peer, {9, 2}) == 0, peer);
  }
  for (const char* peer : {"1.127.0.1", "::2", "::ffff:10.0.0.1"})
    BOOST_TEST(outcome({of(1, peer, busy, 1), of(2, peer, busy, 2)}, peer, {9, 2}) == -1, peer);
}

BOOST_AUTO_TEST_CASE(a_crowd_gives_way_before_a_single_client_that_waited_longer) {
  const std::vector<seat> seats{of(1, "10.0.0.7", idle, 1), of(2, "10.0.0.9", idle, 2), of(3, "10.0.0.9", idle, 3)};
  BOOST_TEST(outcome(seats, "10.0.0.8", {3, 3}) == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::core
