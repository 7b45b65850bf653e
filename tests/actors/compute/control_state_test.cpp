#include "actors/compute/control_state.hpp"

#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/support/printing.hpp"

namespace strata::actors::compute {
namespace {

using messages::compute_states;
using strata::host::agent_state;
using enum change_phase;
using effect = settings_change::effect;

std::string shown(compute_state of) { return std::string(to_string(of)); }
bool is(effect a, effect b) { return a == b; }

agent_phase at(agent_state state, std::optional<agent_state> ending = std::nullopt) {
  return {.begun = true, .gone = false, .state = state, .ending = ending, .incarnations = 1};
}
const agent_phase running = at(agent_state::running);
const core::error refused{core::errc::invalid_argument, "no"};

BOOST_AUTO_TEST_SUITE(actors_compute_control_state)

BOOST_AUTO_TEST_CASE(every_state_of_an_agent_is_one_of_the_compute) {
  BOOST_TEST(shown(state_of({}, none)) == "empty");
  for (const auto each : {agent_state::waiting_for_quorum, agent_state::waiting_for_pageserver, agent_state::restoring,
                          agent_state::starting})
    BOOST_TEST(shown(state_of(at(each), none)) == "init");
  BOOST_TEST(shown(state_of(running, none)) == "running");
  BOOST_TEST(shown(state_of(at(agent_state::stopping), none)) == "termination_pending_fast");
  BOOST_TEST(shown(state_of(at(agent_state::stopped), none)) == "terminated");
  BOOST_TEST(shown(state_of(at(agent_state::failed), none)) == "failed");
  BOOST_TEST(shown(state_of(at(agent_state::superseded), none)) == "failed");
}

BOOST_AUTO_TEST_CASE(what_is_certain_is_shown_before_postgres_has_ended) {
  BOOST_TEST(shown(state_of(at(agent_state::running, agent_state::superseded), none)) == "failed");
  BOOST_TEST(shown(state_of(at(agent_state::running, agent_state::failed), applying)) == "failed");
  BOOST_TEST(shown(state_of(at(agent_state::running, agent_state::stopped), none)) == "termination_pending_immediate");
  BOOST_TEST(shown(state_of(at(agent_state::stopping, agent_state::stopped), none)) == "termination_pending_immediate");
  BOOST_TEST(shown(state_of(at(agent_state::running, agent_state::waiting_for_quorum), none)) == "init");
}

BOOST_AUTO_TEST_CASE(an_agent_that_died_has_failed_and_one_that_ended_has_not) {
  for (const auto each : {agent_state::waiting_for_quorum, agent_state::running, agent_state::stopping}) {
    agent_phase died = at(each);
    died.gone = true;
    BOOST_TEST(shown(state_of(died, restarting)) == "failed");
  }
  agent_phase ended = at(agent_state::stopped);
  ended.gone = true;
  BOOST_TEST(shown(state_of(ended, none)) == "terminated");
}

BOOST_AUTO_TEST_CASE(a_change_of_settings_is_shown_while_the_compute_runs_or_restarts_for_it) {
  BOOST_TEST(shown(state_of(running, checking)) == "configuration_pending");
  BOOST_TEST(shown(state_of(running, applying)) == "configuration");
  BOOST_TEST(shown(state_of(at(agent_state::restoring), restarting)) == "configuration");
  BOOST_TEST(shown(state_of(at(agent_state::restoring), checking)) == "init");
  BOOST_TEST(shown(state_of(at(agent_state::stopping), restarting)) == "termination_pending_fast");
}

BOOST_AUTO_TEST_CASE(a_request_is_taken_in_its_states_and_refused_with_them_in_the_others) {
  for (const auto what : {control_request::check_writability, control_request::configure, control_request::end_fast,
                          control_request::end_immediate}) {
    const auto allowed = allowed_states(what, true);
    BOOST_TEST(!allowed.empty());
    for (const auto now : compute_states) {
      const bool taken = std::ranges::find(allowed, now) != allowed.end();
      const auto refusal = refusal_of(what, now, true);
      BOOST_TEST(refusal.has_value() != taken, shown(now));
      if (!refusal) continue;
      BOOST_TEST((refusal->now == now && refusal->allowed == allowed && !refusal->why.empty()));
    }
  }
  BOOST_TEST(!refusal_of(control_request::end_immediate, compute_state::termination_pending_fast, true));
  BOOST_TEST(refusal_of(control_request::end_fast, compute_state::termination_pending_fast, true).has_value());
  // Where nothing is written nothing can be committed, whatever the state.
  const auto reader = refusal_of(control_request::check_writability, compute_state::running, false);
  BOOST_TEST((reader && reader->allowed.empty()));
}

struct with_change {
  with_change() { BOOST_TEST_REQUIRE(is(change.begin(), effect::check)); }
  void apply() { BOOST_TEST_REQUIRE(is(change.checked({}), effect::apply)); }
  void restart() {
    apply();
    BOOST_TEST_REQUIRE(is(change.applied(true, running), effect::restart));
  }
  effect report(agent_state state, std::uint32_t incarnations, const std::string& detail = "") {
    return change.reported({.begun = true, .state = state, .ending = {}, .incarnations = incarnations}, detail);
  }
  settings_change change;
};

BOOST_FIXTURE_TEST_CASE(settings_that_a_reload_puts_in_force_are_adopted_and_stored, with_change) {
  apply();
  BOOST_TEST(is(change.applied(false, running), effect::adopt));
  BOOST_TEST((change.phase() == storing));
  BOOST_TEST(is(change.stored({}), effect::succeed));
  BOOST_TEST((change.phase() == none));
}

BOOST_FIXTURE_TEST_CASE(settings_that_are_refused_change_nothing, with_change) {
  BOOST_TEST(is(change.checked(refused), effect::refuse));
  BOOST_TEST(change.error().detail == "no");
  BOOST_TEST_REQUIRE(is(change.begin(), effect::check));
  apply();
  BOOST_TEST(is(change.applied(refused, running), effect::refuse));
  BOOST_TEST((change.phase() == none));
}

BOOST_FIXTURE_TEST_CASE(a_restart_is_over_when_another_incarnation_runs, with_change) {
  restart();
  // The one before, which is being stopped.
  BOOST_TEST(is(report(agent_state::running, 1), effect::none));
  for (const auto each : {agent_state::waiting_for_quorum, agent_state::restoring, agent_state::starting})
    BOOST_TEST(is(report(each, 1), effect::none));
  BOOST_TEST(is(report(agent_state::running, 2), effect::store));
  BOOST_TEST(is(change.stored({}), effect::succeed));
}

BOOST_FIXTURE_TEST_CASE(a_postgres_that_does_not_start_gets_the_earlier_settings_back, with_change) {
  restart();
  BOOST_TEST(is(report(agent_state::starting, 1), effect::none));
  BOOST_TEST(is(report(agent_state::waiting_for_quorum, 1, "Postgres did not start: a library is missing; restarting"),
                effect::revert));
  BOOST_TEST((change.phase() == reverting));
  BOOST_TEST(is(report(agent_state::starting, 1), effect::none));
  BOOST_TEST(is(report(agent_state::running, 2), effect::refuse));
  BOOST_TEST(change.error().detail ==
             "Postgres did not start with these settings, the earlier ones are used: a library is missing");
  BOOST_TEST((change.phase() == none));
}

BOOST_FIXTURE_TEST_CASE(a_change_ends_with_its_compute, with_change) {
  restart();
  BOOST_TEST(is(report(agent_state::superseded, 1, "another compute"), effect::refuse));
  BOOST_TEST(change.error().detail.find("another compute") != std::string::npos);
  BOOST_TEST(is(report(agent_state::superseded, 1), effect::none));
  // What is still under way is too late.
  BOOST_TEST(is(change.checked({}), effect::none));
  BOOST_TEST(is(change.stored({}), effect::none));
}

BOOST_FIXTURE_TEST_CASE(settings_that_can_not_be_stored_are_told_to_be_in_force, with_change) {
  apply();
  BOOST_TEST(is(change.applied(false, running), effect::adopt));
  BOOST_TEST(is(change.stored(core::error{core::errc::disk_full, "no space"}), effect::refuse));
  BOOST_TEST(change.error().detail.find("are in force") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
