#include "consensus/quorum_health.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::tests {
namespace {

using consensus::health_of;
using consensus::member_state;
using enum consensus::member_failure;

consensus::configuration of(std::vector<std::uint64_t> ids, std::vector<std::uint64_t> next = {}) {
  consensus::configuration made{.generation = 3};
  for (const auto id : ids) made.members.push_back({{id}, "host", static_cast<std::uint16_t>(7000 + id)});
  if (next.empty()) return made;
  made.new_members.emplace();
  for (const auto id : next) made.new_members->push_back({{id}, "host", static_cast<std::uint16_t>(7000 + id)});
  return made;
}

BOOST_AUTO_TEST_SUITE(consensus_quorum_health)

BOOST_AUTO_TEST_CASE(without_failures_a_minority_may_go) {
  BOOST_TEST(health_of(of({1, 2, 3}), {{1}, {2}, {3}}).text == "tolerates 1 failure");
  BOOST_TEST(health_of(of({1, 2, 3, 4, 5}), {{1}, {2}, {3}, {4}, {5}}).text == "tolerates 2 failures");
  BOOST_TEST(health_of(of({1}), {{1}}).text == "tolerates no failure: too few safekeepers");
}

BOOST_AUTO_TEST_CASE(whoever_can_not_vote_and_write_does_not_count) {
  const auto with = [](consensus::member_failure failure) {
    return health_of(of({1, 2, 3}), {{1}, {2, failure}, {3}});
  };
  for (const auto failure : {down, silent, lacks, broken, full, unreachable}) BOOST_TEST(with(failure).can_lose == 0);
  BOOST_TEST(with(down).text == "tolerates no failure: safekeeper 2 is down");
  BOOST_TEST(with(silent).text == "tolerates no failure: safekeeper 2 does not answer");
  BOOST_TEST(with(lacks).text == "tolerates no failure: safekeeper 2 is missing the branch");
  BOOST_TEST(with(broken).text == "tolerates no failure: safekeeper 2 has a broken copy");
  BOOST_TEST(with(full).text == "tolerates no failure: safekeeper 2 has a full disk");
  BOOST_TEST(with(unreachable).text == "tolerates no failure: safekeeper 2 is unreachable at its address");
}

BOOST_AUTO_TEST_CASE(of_whom_nothing_is_known_is_down) {
  BOOST_TEST(health_of(of({1, 2, 3}), {{1}, {3}}).text == "tolerates no failure: safekeeper 2 is down");
}

BOOST_AUTO_TEST_CASE(without_a_quorum_everybody_who_fails_is_named) {
  BOOST_TEST(health_of(of({1, 2, 3}), {{1}, {2, down}, {3, down}}).text == "no quorum: commits wait (1 of 3 up)");
  BOOST_TEST(health_of(of({1, 2, 3}), {{1}, {2, silent}, {3, down}}).text == "no quorum: commits wait (1 of 3 up)");
  BOOST_TEST(health_of(of({1, 2, 3, 4, 5}), {{1}, {2}, {3, silent}, {4, silent}, {5, full}}).text ==
             "no quorum: commits wait (3 of 5 up; safekeepers 3, 4 do not answer, safekeeper 5 has a full disk)");
  const auto mixed = health_of(of({1, 2, 3, 4, 5}), {{1}, {2, full}, {3, full}, {4, broken}, {5, down}});
  BOOST_TEST(mixed.can_lose == -1);
  BOOST_TEST(mixed.text ==
             "no quorum: commits wait (4 of 5 up; safekeeper 5 is down, safekeeper 4 has a broken copy, "
             "safekeepers 2, 3 have full disks)");
}

BOOST_AUTO_TEST_CASE(while_members_change_both_sets_count) {
  BOOST_TEST(health_of(of({1, 2, 3}, {1, 2, 4}), {{1}, {2}, {3}, {4, full}}).can_lose == 0);
  BOOST_TEST(health_of(of({1, 2, 3}, {4}), {{1}, {2}, {3}, {4, broken}}).can_lose == -1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
