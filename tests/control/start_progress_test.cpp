#include "control/start_progress.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::control {
namespace {

using host::agent_state;
using host::agent_status;
using namespace std::chrono_literals;

agent_status at(agent_state state, const std::string& detail = "", std::uint64_t bytes = 0) {
  agent_status made;
  made.state = state;
  made.detail = detail;
  made.restored_bytes = bytes;
  return made;
}

struct with_start {
  core::monotonic_time now{1h};
  start_progress start{now};
  void look_after(std::chrono::seconds pause, const agent_status& status) { start.look(status, now += pause); }
};

BOOST_FIXTURE_TEST_SUITE(control_start_progress, with_start)

BOOST_AUTO_TEST_CASE(an_agent_that_reports_nothing_is_waited_for_longer_than_one_that_has_a_reason) {
  start.look(std::nullopt, now);
  BOOST_TEST(!start.is_stuck(now + 119s));
  BOOST_TEST(start.is_stuck(now + 121s));
  look_after(60s, at(agent_state::waiting_for_quorum, "no majority"));
  BOOST_TEST(!start.is_stuck(now + 29s));
  BOOST_TEST(start.is_stuck(now + 31s));
}

BOOST_AUTO_TEST_CASE(bytes_and_wal_that_arrive_are_an_advance) {
  for (std::uint64_t bytes = 1; bytes < 5; ++bytes) {
    look_after(25s, at(agent_state::restoring, "slow", bytes));
    BOOST_TEST(!start.is_stuck(now + 29s));
  }
  agent_status behind = at(agent_state::restoring, "behind", 1);
  behind.applied_lsn = core::lsn(0x2000028);
  look_after(25s, behind);
  BOOST_TEST(!start.is_stuck(now + 29s));
}

BOOST_AUTO_TEST_CASE(an_agent_that_repeats_its_steps_does_not_advance) {
  for (int round = 0; round < 4; ++round) {
    look_after(5s, at(agent_state::waiting_for_quorum, "asking"));
    look_after(5s, at(agent_state::waiting_for_pageserver, "the server did not answer within 5 s"));
  }
  // The first time that it waited for the pageserver was the last advance, 30 s ago.
  BOOST_TEST(!start.is_stuck(now));
  BOOST_TEST(start.is_stuck(now + 1s));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
