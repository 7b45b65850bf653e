#include "actors/compute/branch_directory.hpp"

#include <sys/mman.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "io/unique_fd.hpp"
#include "tests/support/held_jobs.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::actors::compute {
namespace {

using namespace std::chrono_literals;
using host::page_mode;
using calls = std::vector<std::string>;

constexpr core::lsn at_head{0x5000};
constexpr core::lsn later{0x6000};

struct with_directory {
  explicit with_directory(page_mode pages = page_mode::fuse)
      : made(jobs.jobs(),
             {.pages = pages,
              .path = home / "data",
              .last_record_lsn =
                  [this] {
                    heard.emplace_back("ask");
                    return head;
                  },
              .lease =
                  [this](core::lsn at) {
                    heard.push_back("lease " + core::to_string(at));
                    return leased;
                  },
              .restore =
                  [this](core::lsn at, const std::string&, const branch_directory::progress& progress) {
                    heard.push_back("restore " + core::to_string(at));
                    progress(77);
                    return core::result<void>();
                  },
              .restore_guarded =
                  [this](core::lsn at, const std::string& into,
                         const branch_directory::progress& progress) -> core::result<branch_directory::directory> {
                heard.push_back("create " + core::to_string(at));
                if (failure) return *failure;
                progress(at.value);
                return page_files::guarded_directory::behind_mount(
                    into, {}, io::unique_fd(::memfd_create("control", MFD_CLOEXEC)));
              },
              .remove_mount = [](const std::string&) { return core::result<void>(); }}) {}

  void create(core::lsn at, core::monotonic_time when = {}) {
    made.create(at, when, [this](const core::result<branch_directory::directory>& done) {
      heard.push_back(!done ? done.error().detail : *done ? "directory" : "copy");
    });
  }
  void expect(const calls& expected) {
    BOOST_TEST(std::exchange(heard, {}) == expected, boost::test_tools::per_element());
  }

  tests::temp_dir home;
  tests::held_jobs jobs;
  calls heard;
  core::result<core::lsn> head = at_head;
  core::result<std::chrono::milliseconds> leased = 60'000ms;
  std::optional<core::error> failure;
  branch_directory made;
};
struct with_copy : with_directory {
  with_copy() : with_directory(page_mode::copy) {}
};

BOOST_AUTO_TEST_SUITE(actors_compute_branch_directory)

BOOST_FIXTURE_TEST_CASE(one_that_was_prepared_is_used_for_its_lsn, with_directory) {
  made.prepare({});
  jobs.finish();
  expect({"ask", "lease 0/5000", "create 0/5000"});
  create(at_head);
  expect({"directory"});
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(made.bytes() == 0x5000u);
  // And only once: the next incarnation has its own.
  create(at_head);
  jobs.finish();
  expect({"lease 0/5000", "create 0/5000", "directory"});
}

BOOST_FIXTURE_TEST_CASE(the_election_decides_where_postgres_begins, with_directory) {
  for (const core::lsn start : {later, at_head - 8, at_head + 8}) {
    made.prepare({});
    jobs.finish();
    heard.clear();
    create(start);
    jobs.finish();
    expect({"lease " + core::to_string(start), "create " + core::to_string(start), "directory"});
  }
}

BOOST_FIXTURE_TEST_CASE(an_election_that_ends_earlier_waits_for_it, with_directory) {
  made.prepare({});
  jobs.work();
  create(at_head);
  BOOST_TEST(jobs.count() == 1u);
  jobs.report();
  expect({"ask", "lease 0/5000", "create 0/5000", "directory"});
  made.prepare({});
  create(later);
  jobs.finish_all();
  expect({"ask", "lease 0/5000", "create 0/5000", "lease 0/6000", "create 0/6000", "directory"});
}

BOOST_FIXTURE_TEST_CASE(one_whose_pages_may_be_gone_is_not_used, with_directory) {
  made.prepare({});
  jobs.finish();
  heard.clear();
  create(at_head, core::monotonic_time(30'000ms));
  jobs.finish();
  expect({"lease 0/5000", "create 0/5000", "directory"});
  made.prepare({});
  jobs.finish();
  heard.clear();
  create(at_head, core::monotonic_time(29'999ms));
  expect({"directory"});
}

BOOST_FIXTURE_TEST_CASE(it_is_prepared_once_as_long_as_no_election_is_won, with_directory) {
  made.prepare({});
  made.prepare({});
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish();
  made.prepare(core::monotonic_time(29'999ms));
  BOOST_TEST(jobs.count() == 0u);
  made.prepare(core::monotonic_time(30'000ms));
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish();
}

BOOST_FIXTURE_TEST_CASE(a_preparation_that_fails_is_no_failure_of_the_start, with_directory) {
  failure = core::error{core::errc::unavailable, "away"};
  made.prepare({});
  jobs.finish();
  failure.reset();
  heard.clear();
  create(at_head);
  jobs.finish();
  expect({"lease 0/5000", "create 0/5000", "directory"});
  head = core::error{core::errc::unavailable, "away"};
  failure = core::error{core::errc::unavailable, "still away"};
  made.prepare({});
  create(at_head);
  jobs.finish_all();
  expect({"ask", "lease 0/5000", "create 0/5000", "still away"});
}

BOOST_FIXTURE_TEST_CASE(a_copy_is_restored_when_its_lsn_is_known, with_copy) {
  made.prepare({});
  BOOST_TEST(jobs.count() == 0u);
  create(later);
  jobs.finish();
  expect({"restore 0/6000", "copy"});
  BOOST_TEST(made.bytes() == 77u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
