#include "actors/compute/compute_lifecycle.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::actors::compute {
namespace {

using namespace std::chrono_literals;
using strata::host::agent_state;

struct with_life {
  template <class Effect>
  bool gives(const life_input& input) {
    const auto effects = life.step(input, now);
    return effects.size() == 1 && std::holds_alternative<Effect>(effects.front());
  }
  bool gives_nothing(const life_input& input) { return life.step(input, now).empty(); }
  bool is(agent_state wanted) const { return life.state() == wanted; }

  void begin_restoring() {
    BOOST_TEST_REQUIRE(gives_nothing(won_election{{7}}));
    BOOST_TEST_REQUIRE(gives<await_pageserver>(start_is_safe{core::lsn(0x2000)}));
    BOOST_TEST_REQUIRE(gives<restore_branch>(pageserver_caught_up{}));
  }
  void run() {
    begin_restoring();
    BOOST_TEST_REQUIRE(gives<start_server>(branch_restored{}));
    BOOST_TEST_REQUIRE(gives<stream_wal>(postgres_ready{}));
    BOOST_TEST_REQUIRE(is(agent_state::running));
  }

  compute_lifecycle life;
  core::monotonic_time now{};
};
struct with_begun_life : with_life {
  with_begun_life() { BOOST_TEST_REQUIRE(gives<run_for_term>(agent_begun{})); }
};
const step_failed passing{{core::errc::unavailable, "no server"}};
const step_failed final_failure{{core::errc::corrupt, "a damaged archive"}};

BOOST_FIXTURE_TEST_SUITE(actors_compute_lifecycle, with_begun_life)

BOOST_AUTO_TEST_CASE(postgres_starts_where_the_quorum_is_safe_and_the_pageserver_has_it) {
  BOOST_TEST(is(agent_state::waiting_for_quorum));
  BOOST_TEST(gives_nothing(won_election{{7}}));
  const auto awaited = life.step(start_is_safe{core::lsn(0x2000)}, now);
  BOOST_TEST_REQUIRE(awaited.size() == 1u);
  BOOST_TEST(std::get<await_pageserver>(awaited[0]).start.value == 0x2000u);
  BOOST_TEST(is(agent_state::waiting_for_pageserver));
  const auto restored = life.step(pageserver_caught_up{}, now);
  BOOST_TEST(std::get<restore_branch>(restored.at(0)).start.value == 0x2000u);
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(is(agent_state::starting));
  BOOST_TEST(gives<stream_wal>(postgres_ready{}));
  BOOST_TEST(is(agent_state::running));
  BOOST_TEST(life.in().value == 7u);
  BOOST_TEST(life.incarnations() == 1u);
}

BOOST_AUTO_TEST_CASE(a_pageserver_that_has_more_than_the_quorum_tells_of_lost_wal_unless_a_later_term_has_it) {
  const auto wait = [&] {
    BOOST_TEST_REQUIRE(gives_nothing(won_election{{7}}));
    BOOST_TEST_REQUIRE(gives<await_pageserver>(start_is_safe{core::lsn(0x2000)}));
    BOOST_TEST(gives_nothing(pageserver_ahead{core::lsn(0x3000)}));
    now += compute_lifecycle::later_term_limit - 1ms;
    BOOST_TEST(gives_nothing(pageserver_ahead{core::lsn(0x3000)}));
  };
  wait();
  {
    compute_lifecycle other = life;
    BOOST_TEST(std::holds_alternative<finish>(other.step(term_lost{{8}}, now).front()));
    BOOST_TEST(other.state() == agent_state::superseded);
  }
  now += 1ms;
  BOOST_TEST(gives<finish>(pageserver_ahead{core::lsn(0x3000)}));
  BOOST_TEST(is(agent_state::failed));
  for (const char* said : {"0/2000", "0/3000", "Nothing was written"})
    BOOST_TEST(life.detail().find(said) != std::string::npos, life.detail());
}

BOOST_AUTO_TEST_CASE(what_may_pass_is_tried_again_and_says_why_meanwhile) {
  BOOST_TEST(gives<retry_later>(passing));
  BOOST_TEST(life.detail() == "no server");
  BOOST_TEST(gives<run_for_term>(retry_due{}));
  BOOST_TEST(gives<await_pageserver>(start_is_safe{core::lsn(0x2000)}));
  BOOST_TEST(life.detail().empty());
  BOOST_TEST(gives<retry_later>(passing));
  BOOST_TEST(gives<await_pageserver>(retry_due{}));
  BOOST_TEST(gives<restore_branch>(pageserver_caught_up{}));
  BOOST_TEST(gives<retry_later>(step_failed{{core::errc::outcome_unknown, "it broke off"}}));
  BOOST_TEST(gives<restore_branch>(retry_due{}));
}

BOOST_AUTO_TEST_CASE(what_does_not_pass_is_final) {
  begin_restoring();
  BOOST_TEST(gives<finish>(final_failure));
  BOOST_TEST(is(agent_state::failed));
  BOOST_TEST(life.detail() == "a damaged archive");
  BOOST_TEST(gives_nothing(branch_restored{}));
  BOOST_TEST(gives_nothing(stop_wanted{}));
}

BOOST_AUTO_TEST_CASE(wal_that_is_gone_is_not_waited_for) {
  BOOST_TEST(gives<await_pageserver>(start_is_safe{core::lsn(0x2000)}));
  BOOST_TEST(gives<finish>(step_failed{{core::errc::out_of_range, "the WAL from 0/1000 to 0/2000 is gone"}}));
  BOOST_TEST(is(agent_state::failed));
  BOOST_TEST(life.detail() == "the WAL from 0/1000 to 0/2000 is gone");
}

BOOST_AUTO_TEST_CASE(a_postgres_that_never_starts_is_not_started_again) {
  begin_restoring();
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives<finish>(passing));
  BOOST_TEST(is(agent_state::failed));
}

BOOST_AUTO_TEST_CASE(an_end_of_postgres_is_followed_by_an_election_never_by_a_start_in_place) {
  run();
  BOOST_TEST(gives<run_for_term>(postgres_ended{}));
  BOOST_TEST(is(agent_state::waiting_for_quorum));
  BOOST_TEST(gives_nothing(postgres_ready{}));
  run();
  BOOST_TEST(life.incarnations() == 2u);
}

BOOST_AUTO_TEST_CASE(the_sixth_end_within_a_minute_is_a_failure) {
  for (int i = 0; i < 5; ++i) {
    run();
    now += 10s;
    BOOST_TEST(gives<run_for_term>(postgres_ended{}));
  }
  run();
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::failed));
}

BOOST_AUTO_TEST_CASE(ends_that_are_far_apart_are_no_failure) {
  for (int i = 0; i < 20; ++i) {
    run();
    now += 13s;
    BOOST_TEST(gives<run_for_term>(postgres_ended{}));
  }
}

BOOST_AUTO_TEST_CASE(a_lost_term_ends_postgres_at_once_and_then_everything) {
  run();
  BOOST_TEST(gives<abandon_server>(term_lost{{9}}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::superseded));
  BOOST_TEST(life.detail().find("term 9") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_lost_term_before_postgres_runs_needs_no_wait) {
  begin_restoring();
  BOOST_TEST(gives<finish>(term_lost{{9}}));
  BOOST_TEST(is(agent_state::superseded));
}

BOOST_AUTO_TEST_CASE(a_lost_term_while_postgres_starts_waits_for_its_end) {
  begin_restoring();
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives<abandon_server>(term_lost{{9}}));
  BOOST_TEST(gives_nothing(postgres_ready{}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::superseded));
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_ends_this_incarnation_and_starts_the_next) {
  run();
  BOOST_TEST(gives<abandon_server>(commit_wait_cancelled{}));
  BOOST_TEST(gives_nothing(commit_wait_cancelled{}));
  BOOST_TEST(gives<run_for_term>(postgres_ended{}));
  BOOST_TEST(life.detail().find("durable") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_stop_lets_postgres_finish) {
  run();
  BOOST_TEST(gives<stop_server>(stop_wanted{}));
  BOOST_TEST(is(agent_state::stopping));
  BOOST_TEST(gives_nothing(stop_wanted{}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_AUTO_TEST_CASE(a_deleted_branch_ends_it_for_good_and_says_so) {
  run();
  BOOST_TEST(gives<abandon_server>(branch_deleted{}));
  BOOST_TEST(gives_nothing(retry_due{}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::stopped));
  BOOST_TEST(life.detail().find("was deleted") != std::string::npos);
  BOOST_TEST(gives_nothing(retry_due{}));
}

BOOST_AUTO_TEST_CASE(a_branch_that_is_deleted_before_anything_runs_or_while_it_stops_ends_it_too) {
  BOOST_TEST(gives<finish>(branch_deleted{}));
  BOOST_TEST(is(agent_state::stopped));
  with_begun_life other;
  other.run();
  BOOST_TEST(other.gives<stop_server>(stop_wanted{}));
  BOOST_TEST(other.gives<abandon_server>(branch_deleted{}));
  BOOST_TEST(other.gives<finish>(postgres_ended{}));
  BOOST_TEST(other.is(agent_state::stopped));
  BOOST_TEST(other.life.detail().find("was deleted") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_term_lost_while_stopping_is_told) {
  run();
  BOOST_TEST(gives<stop_server>(stop_wanted{}));
  BOOST_TEST(gives<abandon_server>(term_lost{{9}}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::superseded));
}

BOOST_AUTO_TEST_CASE(a_stop_before_postgres_runs_is_immediate) {
  BOOST_TEST(gives<finish>(stop_wanted{}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_AUTO_TEST_CASE(a_stop_while_postgres_starts_abandons_it) {
  begin_restoring();
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives<abandon_server>(stop_wanted{}));
  BOOST_TEST(gives<finish>(step_failed{{core::errc::io_error, "it ended"}}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_FIXTURE_TEST_CASE(a_compute_that_only_reads_has_no_term_and_begins_at_the_same_place_again, with_life) {
  const auto begun = life.step(agent_begun{core::lsn(0x5000)}, now);
  BOOST_TEST_REQUIRE(begun.size() == 1u);
  BOOST_TEST(std::get<restore_branch>(begun[0]).start.value == 0x5000u);
  BOOST_TEST(is(agent_state::restoring));
  BOOST_TEST(gives<retry_later>(passing));
  BOOST_TEST(gives<restore_branch>(retry_due{}));
  BOOST_TEST(gives<start_server>(branch_restored{}));
  // There is no stream of its WAL.
  BOOST_TEST(gives_nothing(postgres_ready{}));
  BOOST_TEST(is(agent_state::running));

  const auto again = life.step(postgres_ended{}, now);
  BOOST_TEST_REQUIRE(again.size() == 1u);
  BOOST_TEST(std::get<restore_branch>(again[0]).start.value == 0x5000u);
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives_nothing(postgres_ready{}));
  BOOST_TEST(gives<stop_server>(stop_wanted{}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_FIXTURE_TEST_CASE(a_standby_begins_each_time_where_the_branch_can_be_followed_from, with_life) {
  BOOST_TEST(gives<choose_start>(agent_begun{.at = {}, .follows = true}));
  BOOST_TEST(gives<retry_later>(passing));
  BOOST_TEST(gives<choose_start>(retry_due{}));
  BOOST_TEST(gives<restore_branch>(start_chosen{core::lsn(0x5000)}));
  BOOST_TEST(life.start().value == 0x5000u);
  // The window has moved on meanwhile.
  BOOST_TEST(gives<retry_later>(step_failed{{core::errc::out_of_range, "cannot be read"}}));
  BOOST_TEST(gives<choose_start>(retry_due{}));
  BOOST_TEST(gives<restore_branch>(start_chosen{core::lsn(0x6000)}));
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives_nothing(postgres_ready{}));
  BOOST_TEST(gives<choose_start>(postgres_ended{}));
  BOOST_TEST(gives<restore_branch>(start_chosen{core::lsn(0x6000)}));
}

BOOST_FIXTURE_TEST_CASE(a_standby_does_not_begin_again_before_wal_that_is_gone, with_life) {
  BOOST_TEST(gives<choose_start>(agent_begun{.at = {}, .follows = true}));
  BOOST_TEST(gives_nothing(following_lost{"there is no Postgres yet"}));
  BOOST_TEST(gives<restore_branch>(start_chosen{core::lsn(0x5000)}));
  BOOST_TEST(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives_nothing(postgres_ready{}));
  BOOST_TEST(gives<abandon_server>(following_lost{"WAL at 0/5400 is gone"}));
  BOOST_TEST(gives<choose_start>(postgres_ended{}));
  BOOST_TEST(life.detail().find("WAL at 0/5400 is gone") != std::string::npos, life.detail());
  BOOST_TEST(gives<retry_later>(start_chosen{core::lsn(0x5000)}));
  BOOST_TEST(life.detail().find("waiting for a newer position") != std::string::npos, life.detail());
  BOOST_TEST(gives<choose_start>(retry_due{}));
  BOOST_TEST(gives<restore_branch>(start_chosen{core::lsn(0x7000)}));
}

BOOST_AUTO_TEST_CASE(a_lost_directory_ends_postgres_and_the_next_incarnation_has_another) {
  BOOST_TEST(gives_nothing(directory_lost{}));
  run();
  BOOST_TEST(gives<abandon_server>(directory_lost{}));
  BOOST_TEST(gives_nothing(directory_lost{}));
  BOOST_TEST(gives<run_for_term>(postgres_ended{}));
  BOOST_TEST(is(agent_state::waiting_for_quorum));
  BOOST_TEST(life.detail().find("file system") != std::string::npos, life.detail());

  run();
  BOOST_TEST(gives<stop_server>(stop_wanted{}));
  BOOST_TEST(gives<abandon_server>(directory_lost{}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_AUTO_TEST_CASE(new_settings_end_an_incarnation_in_order_and_are_no_fault) {
  run();
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST_REQUIRE(gives<stop_server>(restart_wanted{}));
    BOOST_TEST((life.ending() == agent_state::waiting_for_quorum));
    BOOST_TEST(is(agent_state::running));
    BOOST_TEST(gives_nothing(restart_wanted{}));
    BOOST_TEST_REQUIRE(gives<run_for_term>(postgres_ended{}));
    BOOST_TEST(!life.ending());
    run();
  }
}

BOOST_AUTO_TEST_CASE(a_stop_during_a_restart_waits_for_acknowledgements_too) {
  run();
  BOOST_TEST_REQUIRE(gives<stop_server>(restart_wanted{}));
  BOOST_TEST(gives_nothing(stop_wanted{}));
  BOOST_TEST(is(agent_state::stopping));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_AUTO_TEST_CASE(an_end_at_once_waits_for_nothing_in_any_state) {
  run();
  BOOST_TEST(gives<stop_server>(stop_wanted{}));
  BOOST_TEST(gives<abandon_server>(end_at_once{}));
  BOOST_TEST((life.ending() == agent_state::stopped));
  BOOST_TEST(gives_nothing(end_at_once{}));
  BOOST_TEST(gives<finish>(postgres_ended{}));
  BOOST_TEST(is(agent_state::stopped));
  BOOST_TEST(gives_nothing(end_at_once{}));
}

BOOST_AUTO_TEST_CASE(an_end_at_once_before_postgres_is_the_end) {
  BOOST_TEST(gives<finish>(end_at_once{}));
  BOOST_TEST(is(agent_state::stopped));
}

BOOST_FIXTURE_TEST_CASE(settings_that_postgres_refuses_are_followed_by_another_incarnation, with_begun_life) {
  begin_restoring();
  BOOST_TEST_REQUIRE(gives<start_server>(branch_restored{}));
  // Although Postgres has never run: there are others.
  BOOST_TEST(
      gives<run_for_term>(settings_refused{{core::errc::io_error, "it ended; its log:\n  FATAL:  no such thing"}}));
  BOOST_TEST(is(agent_state::waiting_for_quorum));
  BOOST_TEST(life.detail() ==
             "Postgres did not start with the settings of the branch: FATAL:  no such thing; restarting");
  begin_restoring();
  BOOST_TEST_REQUIRE(gives<start_server>(branch_restored{}));
  BOOST_TEST(gives<finish>(step_failed{{core::errc::io_error, "it ended"}}));
  BOOST_TEST(is(agent_state::failed));
  BOOST_TEST(gives_nothing(settings_refused{{core::errc::io_error, "it ended"}}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
