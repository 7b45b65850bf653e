#include "actors/safekeeper/journal_queue.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <source_location>
#include <stdexcept>
#include <vector>

#include "tests/actors/safekeeper/journal_home.hpp"
#include "tests/support/held_jobs.hpp"
#include "tests/support/simulated_disk.hpp"

namespace strata::actors::safekeeper {
namespace {

namespace fs = std::filesystem;
using core::errc;
using journal::timeline_journal;
using calls = std::vector<std::string>;

const core::error of_disk{errc::io_error, "write: the disk is gone"};

/// A queue over a journal of `home`; everything that it does is heard in its order.
struct queue_over {
  explicit queue_over(tests::journal_home& home)
      : journal(home.disk, home.where, home.view, jobs.jobs(),
                {.moved = [this] { heard.emplace_back("moved"); },
                 .failed = [this](const char* doing,
                                  const core::error& why) { heard.push_back(std::string(doing) + ": " + why.detail); },
                 .reopen_later = [this] { heard.emplace_back("reopen later"); }}) {}

  /// Work with this outcome.
  void add(const std::string& name, const core::result<void>& outcome = {}) {
    journal.exclusively(
        name,
        [this, name, outcome](timeline_journal& on) {
          heard.push_back(name);
          used = &on;
          return outcome;
        },
        [this, name](const core::result<void>& done) {
          heard.push_back(name + (done ? " done" : " failed: " + done.error().detail));
        });
  }
  calls take() { return std::exchange(heard, {}); }
  void expect(const calls& expected, const std::source_location& where = std::source_location::current()) {
    BOOST_TEST_CONTEXT("line " << where.line()) BOOST_TEST(take() == expected, boost::test_tools::per_element());
  }

  tests::held_jobs jobs;
  calls heard;
  timeline_journal* used = nullptr;  ///< by the latest work
  journal_queue journal;
};

struct with_queue : tests::journal_home, queue_over {
  with_queue() : queue_over(static_cast<tests::journal_home&>(*this)) {}
  void lose_journal() {
    add("a", of_disk);
    jobs.finish();
    take();
  }
  /// Without it no journal can be opened.
  void hide_files() const { fs::rename(where.directory, where.directory + ".hidden"); }
  void show_files() const { fs::rename(where.directory + ".hidden", where.directory); }
};

BOOST_FIXTURE_TEST_SUITE(actors_safekeeper_journal_queue, with_queue)

BOOST_AUTO_TEST_CASE(work_runs_one_piece_at_a_time_in_order_and_each_is_answered_before_the_next) {
  add("a");
  add("b");
  add("c");
  BOOST_TEST(jobs.count() == 1u);
  BOOST_TEST(jobs.name() == "a");
  jobs.work();
  BOOST_TEST(jobs.count() == 1u);
  jobs.report();
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish_all();
  expect({"a", "a done", "moved", "b", "b done", "moved", "c", "c done", "moved"});
  BOOST_TEST(used == view->journal().get());
}

BOOST_AUTO_TEST_CASE(work_that_an_answer_adds_comes_after_the_work_that_waits) {
  journal.exclusively(
      "a", [](timeline_journal&) { return core::result<int>(1); }, [this](const core::result<int>&) { add("c"); });
  add("b");
  jobs.finish_all();
  expect({"moved", "b", "b done", "moved", "c", "c done", "moved"});
}

BOOST_AUTO_TEST_CASE(a_value_reaches_whoever_asked_for_it) {
  core::lsn told;
  elect();
  journal.exclusively(
      "a", [](timeline_journal& on) { return core::result<core::lsn>(on.position().timeline_start); },
      [&](const core::result<core::lsn>& found) { told = found.value(); });
  jobs.finish();
  BOOST_TEST(told == wal.start());
}

BOOST_AUTO_TEST_CASE(an_error_of_the_input_is_answered_and_the_next_work_runs) {
  for (const errc code : {errc::invalid_argument, errc::conflict, errc::unsupported, errc::busy, errc::unavailable,
                          errc::timeout, errc::out_of_range, errc::would_block, errc::outcome_unknown}) {
    BOOST_TEST(!is_disk_error(code));
    add("a", core::error{code, "no"});
    add("b");
    jobs.finish_all();
    BOOST_TEST(!journal.lost());
    expect({"a", "a failed: no", "moved", "b", "b done", "moved"});
  }
}

BOOST_AUTO_TEST_CASE(an_error_of_the_disk_is_reported_and_answered_and_the_journal_is_opened_again) {
  for (const errc code : {errc::disk_full, errc::corrupt, errc::io_error, errc::not_found, errc::permission_denied}) {
    BOOST_TEST(is_disk_error(code));
    const auto before = view->journal();
    add("a", core::error{code, "no"});
    add("b");
    jobs.finish();
    BOOST_TEST(journal.lost());
    expect({"a", "write: no", "a failed: no", "moved"});
    BOOST_REQUIRE(jobs.count() == 1u);
    BOOST_TEST(jobs.name() == "reopen the timeline");
    jobs.finish();
    BOOST_TEST(!journal.lost());
    BOOST_TEST((view->journal() != before));
    jobs.finish_all();
    expect({"moved", "b", "b done", "moved"});
    BOOST_TEST(used == view->journal().get());
  }
}

BOOST_AUTO_TEST_CASE(a_job_that_throws_is_an_error_of_the_disk) {
  std::optional<core::error> answer;
  journal.exclusively(
      "a", [](timeline_journal&) -> core::result<int> { throw std::runtime_error("no memory"); },
      [&](const core::result<int>& done) { answer = done.error(); });
  jobs.finish();
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->code == errc::io_error);
  BOOST_TEST(journal.lost());
  jobs.finish();
  BOOST_TEST(!journal.lost());
}

BOOST_AUTO_TEST_CASE(nothing_runs_on_a_lost_journal_and_what_waits_runs_on_the_next_one) {
  add("a", of_disk);
  add("b");
  jobs.finish();
  add("c");
  take();
  BOOST_TEST(jobs.count() == 1u);  // the attempt to open it
  jobs.work();
  add("d");
  jobs.report();
  jobs.finish_all();
  expect({"moved", "b", "b done", "moved", "c", "c done", "moved", "d", "d done", "moved"});
}

BOOST_AUTO_TEST_CASE(waiting_work_fails_in_order_with_each_attempt_that_fails) {
  hide_files();
  add("a", of_disk);
  add("b");
  add("c");
  jobs.finish();
  take();
  jobs.work();
  add("d");
  jobs.report();
  auto first = take();
  BOOST_REQUIRE(first.size() == 5u);
  BOOST_TEST(first[0].starts_with("reopen the timeline: "), first[0]);
  BOOST_TEST(first[0].find(where.directory) != std::string::npos, first[0]);
  const std::string why = first[0].substr(std::string("reopen the timeline: ").size());
  first.erase(first.begin());
  BOOST_TEST((first == calls{"b failed: " + why, "c failed: " + why, "d failed: " + why, "reopen later"}));

  // Between two attempts work waits for the next one.
  BOOST_TEST(journal.lost());
  add("e");
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(heard.empty());
  journal.reopen();
  jobs.finish();
  expect({"reopen the timeline: " + why, "e failed: " + why, "reopen later"});

  show_files();
  add("f");
  journal.reopen();
  jobs.finish_all();
  BOOST_TEST(!journal.lost());
  expect({"moved", "f", "f done", "moved"});
}

BOOST_AUTO_TEST_CASE(work_that_a_failure_adds_waits_for_the_next_attempt) {
  lose_journal();
  hide_files();
  journal.exclusively(
      "b", [](timeline_journal&) { return core::result<int>(1); }, [this](const core::result<int>&) { add("c"); });
  jobs.finish();
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(heard.size() == 2u);
  show_files();
  take();
  journal.reopen();
  jobs.finish_all();
  expect({"moved", "c", "c done", "moved"});
}

BOOST_AUTO_TEST_CASE(a_second_loss_is_reported_and_waits_for_the_same_attempt) {
  journal.add({[] {}, [](const core::error&) {}});
  journal.ended([this] {
    journal.lose({errc::io_error, "first"});
    journal.lose({errc::io_error, "second"});
  });
  BOOST_TEST(jobs.count() == 1u);
  expect({"write: first", "write: second", "moved"});
  jobs.finish();
  BOOST_TEST(!journal.lost());
  BOOST_TEST(jobs.count() == 0u);
}

BOOST_AUTO_TEST_CASE(work_of_another_actor_keeps_the_journal_until_it_has_ended) {
  journal.add({[this] { heard.emplace_back("begun"); }, [](const core::error&) {}});
  add("b");
  BOOST_TEST(jobs.count() == 0u);
  expect({"begun"});
  journal.ended([this] { heard.emplace_back("ended"); });
  expect({"ended", "moved"});
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish();
}

BOOST_AUTO_TEST_CASE(work_of_another_actor_that_loses_the_journal_lets_nothing_run_before_it_is_open) {
  journal.add({[] {}, [](const core::error&) {}});
  add("b");
  journal.ended([this] { journal.lose(of_disk); });
  BOOST_TEST(jobs.count() == 1u);
  BOOST_TEST(jobs.name() == "reopen the timeline");
  jobs.finish_all();
  expect({"write: " + of_disk.detail, "moved", "moved", "b", "b done", "moved"});
}

BOOST_AUTO_TEST_CASE(failing_all_fails_what_waits_and_leaves_what_runs) {
  add("a");
  add("b");
  add("c");
  jobs.work();
  take();
  journal.fail_all({errc::unavailable, "closed"});
  expect({"b failed: closed", "c failed: closed"});
  add("d");
  jobs.report();
  jobs.finish_all();
  expect({"a done", "moved", "d", "d done", "moved"});
}

BOOST_AUTO_TEST_CASE(a_closing_timeline_whose_journal_is_lost_ends_with_the_attempt) {
  lose_journal();
  hide_files();
  journal.fail_all({errc::unavailable, "closed"});
  add("save positions");
  jobs.finish();
  BOOST_REQUIRE(heard.size() == 3u);
  BOOST_TEST(heard[1].starts_with("save positions failed: "), heard[1]);
}

BOOST_AUTO_TEST_CASE(a_damaged_journal_stays_lost_until_it_is_repaired) {
  elect();
  lose_journal();
  for (const auto& file : fs::directory_iterator(where.directory)) {
    fs::copy_file(file.path(), home / file.path().filename());
    fs::resize_file(file.path(), 3);
  }
  add("b");
  jobs.finish();
  BOOST_TEST(journal.lost());
  BOOST_REQUIRE(heard.size() == 3u);
  BOOST_TEST(heard[1].starts_with("b failed: "), heard[1]);
  for (const auto& file : fs::directory_iterator(where.directory))
    fs::copy_file(home / file.path().filename(), file.path(), fs::copy_options::overwrite_existing);
  journal.reopen();
  jobs.finish();
  BOOST_TEST(!journal.lost());
  BOOST_TEST(view->position().timeline_start == wal.start());
}

BOOST_AUTO_TEST_CASE(a_full_disk_costs_the_failed_work_and_nothing_durable) {
  tests::simulated_disk disk;
  BOOST_TEST_REQUIRE(disk.make_directory("/sk"));
  tests::journal_home on(core::lsn(segment_size), disk, "/sk/timeline");
  on.elect();
  on.commit_into(2);
  const auto before = on.view->position();
  queue_over queue(on);
  bool full = true;
  disk.decide = [&](tests::simulated_disk::call what, const std::string&) {
    using enum tests::simulated_disk::call;
    const bool needs_room = what == create || what == write || what == resize;
    return full && needs_room ? tests::simulated_disk::fault::disk_full : tests::simulated_disk::fault::none;
  };
  std::vector<core::result<void>> answers;
  const auto learn = [&] {
    queue.journal.exclusively(
        "learn",
        [to = before.commit_lsn](timeline_journal& journal) -> core::result<void> {
          STRATA_TRY(journal.tell(consensus::timeline_news{.remote_consistent = to}));
          return journal.save_positions();
        },
        [&](const core::result<void>& done) { answers.push_back(done); });
  };
  learn();
  queue.jobs.finish();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_TEST(answers[0].error().code == errc::disk_full);
  BOOST_TEST(queue.journal.lost());
  full = false;
  learn();
  queue.jobs.finish_all();
  BOOST_TEST(!queue.journal.lost());
  BOOST_REQUIRE(answers.size() == 2u);
  BOOST_TEST(answers[1]);
  BOOST_TEST(on.view->position().flush_lsn == before.flush_lsn);
  BOOST_TEST(on.view->position().remote_consistent == before.commit_lsn);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::safekeeper
