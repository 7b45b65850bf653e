#include "actors/compute/startup_times.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::actors::compute {
namespace {

using namespace std::chrono_literals;
using strata::host::agent_state;

struct with_times {
  /// The agent enters the state after `pause` in the one before.
  bool enter(agent_state state, std::chrono::milliseconds pause) {
    now += pause;
    return times.entered(state, now);
  }
  bool run() {
    enter(agent_state::waiting_for_quorum, 0ms);
    enter(agent_state::waiting_for_pageserver, 10ms);
    enter(agent_state::restoring, 20ms);
    enter(agent_state::starting, 40ms);
    return enter(agent_state::running, 80ms);
  }
  [[nodiscard]] messages::startup_metrics found() const {
    messages::startup_metrics made;
    times.describe(made, 5ms);
    return made;
  }
  startup_times times;
  core::monotonic_time now{};
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_startup_times, with_times)

BOOST_AUTO_TEST_CASE(the_steps_add_up_to_the_whole) {
  BOOST_TEST(run());
  const auto made = found();
  BOOST_TEST((made.sync_safekeepers == 10ms && made.pageserver == 20ms && made.basebackup == 40ms));
  BOOST_TEST((made.config == 5ms && made.start_postgres == 75ms && made.total == 150ms));
}

BOOST_AUTO_TEST_CASE(a_step_that_is_not_over_has_no_time) {
  enter(agent_state::waiting_for_quorum, 0ms);
  enter(agent_state::waiting_for_pageserver, 10ms);
  const auto made = found();
  BOOST_TEST((made.sync_safekeepers == 10ms));
  BOOST_TEST((!made.pageserver && !made.basebackup && !made.config && !made.start_postgres && !made.total));
}

BOOST_AUTO_TEST_CASE(an_incarnation_begins_when_the_one_before_has_ended) {
  run();
  enter(agent_state::waiting_for_quorum, 1h);
  enter(agent_state::waiting_for_pageserver, 1ms);
  enter(agent_state::restoring, 1ms);
  enter(agent_state::starting, 1ms);
  // An attempt that fails is no part of the next one.
  enter(agent_state::waiting_for_quorum, 7ms);
  enter(agent_state::waiting_for_pageserver, 2ms);
  enter(agent_state::restoring, 2ms);
  enter(agent_state::starting, 2ms);
  BOOST_TEST(enter(agent_state::running, 10ms));
  BOOST_TEST((found().total == 16ms));
  BOOST_TEST((found().start_postgres == 5ms));
}

BOOST_AUTO_TEST_CASE(a_step_that_is_begun_again_counts_in_full) {
  enter(agent_state::waiting_for_quorum, 0ms);
  enter(agent_state::waiting_for_pageserver, 0ms);
  enter(agent_state::restoring, 3ms);
  enter(agent_state::waiting_for_pageserver, 5ms);
  enter(agent_state::restoring, 4ms);
  enter(agent_state::starting, 6ms);
  enter(agent_state::running, 10ms);
  BOOST_TEST((found().pageserver == 7ms && found().basebackup == 11ms && found().total == 28ms));
}

BOOST_AUTO_TEST_CASE(a_reader_has_no_election) {
  enter(agent_state::waiting_for_quorum, 0ms);
  enter(agent_state::restoring, 0ms);
  enter(agent_state::starting, 4ms);
  BOOST_TEST(enter(agent_state::running, 6ms));
  BOOST_TEST((found().sync_safekeepers == 0ms && found().pageserver == 0ms && found().total == 10ms));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
