#include "actors/compute/page_supply.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "host/program.hpp"
#include "page_files/control_file.hpp"
#include "tests/support/held_jobs.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/socket_listener.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::actors::compute {
namespace {

using namespace std::chrono_literals;
using calls = std::vector<std::string>;
using directory = std::shared_ptr<const page_files::guarded_directory>;

bool exists(pid_t process) { return ::kill(process, 0) == 0 || errno != ESRCH; }

boost::test_tools::assertion_result fanotify_works(boost::unit_test::test_unit_id) {
  const tests::temp_dir here;
  const auto allowed = page_files::check_fanotify(here.path().string());
  boost::test_tools::assertion_result result(allowed.has_value());
  if (!allowed) result.message() << "skipped: " << allowed.error().detail;
  return result;
}

io::unique_fd control_file() { return io::unique_fd(::memfd_create("control", MFD_CLOEXEC)); }

struct with_supply : tests::listening_system {
  with_supply()
      : listening_system([this](const runtime::socket_ready& event) {
          if (supply) supply->on_ready(event.token);
        }) {}
  ~with_supply() {
    for (const pid_t each : fillers) ::kill(each, SIGKILL);
  }

  /// One file of two pages.
  [[nodiscard]] std::vector<page_files::sparse_file> files() const {
    page_files::sparse_file one;
    one.file = {.path = "file", .relation = {1663, 5, 16384}, .segment = 0, .pages = 2};
    one.inode = {1, 2};
    return {one};
  }
  [[nodiscard]] directory mounted() const {
    return *page_files::guarded_directory::behind_mount(home.path(), files(), control_file());
  }
  [[nodiscard]] directory native() const {
    return *page_files::guarded_directory::of_native_files(home.path(), {}, control_file());
  }
  core::result<pid_t> run_filler() {
    if (filler_error) return *filler_error;
    pid_t made = 0;
    char program[] = "/bin/sleep";
    char seconds[] = "600";
    char* words[] = {program, seconds, nullptr};
    const int failure = ::posix_spawn(&made, program, nullptr, nullptr, words, environ);
    if (failure != 0) return core::from_errno("start a filler", failure);
    fillers.push_back(made);
    return made;
  }
  void expect(const calls& expected) {
    BOOST_TEST(std::exchange(heard, {}) == expected, boost::test_tools::per_element());
  }
  void begin_running(const directory& on) {
    supply->begin(on, core::lsn(0x5000));
    jobs.finish();
    expect({"begun"});
  }
  static page_files::page_map map_of(const page_files::guarded_directory& on) {
    auto map = page_files::page_map::open(io::unique_fd(::fcntl(on.map(), F_DUPFD_CLOEXEC, 0)), true);
    BOOST_TEST_REQUIRE(map.has_value());
    return *std::move(map);
  }
  static void set_complete(const page_files::guarded_directory& on) { map_of(on).set_complete(); }
  void kill_filler() {
    ::kill(fillers.back(), SIGKILL);
    host::wait_for_end(fillers.back(), 10s);
    look();
  }

  tests::temp_dir home;
  tests::held_jobs jobs;
  calls heard;
  std::vector<pid_t> fillers;
  std::optional<core::error> filler_error;
  core::result<std::chrono::milliseconds> leased = 600'000ms;
  page_supply::context context(bool starts_at_same_lsn = false) {
    return {.owner = [this] { return listener; },
            .note = [this](const char* doing, const core::error&) { heard.emplace_back(doing); },
            .retry_after =
                [this](std::chrono::milliseconds pause) {
                  heard.push_back("retry after " + std::to_string(pause.count()));
                },
            .lost = [this] { heard.emplace_back("lost"); },
            .all_present = [this] { heard.emplace_back("all present"); },
            .begun =
                [this](const core::result<void>& how) {
                  heard.push_back(how ? "begun" : "not begun: " + how.error().detail);
                },
            .start_filler = [this](const page_files::guarded_directory&, core::lsn at) -> core::result<pid_t> {
              BOOST_TEST((at == core::lsn(0x5000)));
              return run_filler();
            },
            .lease =
                [this](core::lsn) {
                  heard.emplace_back("lease");
                  return leased;
                },
            .remove_mount =
                [this] {
                  heard.emplace_back("remove mount");
                  return core::result<void>();
                },
            .starts_at_same_lsn = starts_at_same_lsn};
  }
  std::optional<page_supply> supply{std::in_place, env().sockets(), jobs.jobs(), context()};
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_page_supply, with_supply)

BOOST_AUTO_TEST_CASE(a_copy_needs_no_filler) {
  supply->begin(nullptr, core::lsn(0x5000));
  expect({"begun"});
  BOOST_TEST(supply->inherited().empty());
  BOOST_TEST(supply->waits().empty());
  supply->look(core::monotonic_time{});
  supply->end([this] { heard.emplace_back("then"); });
  expect({"then"});
  BOOST_TEST(jobs.count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_filler_that_ends_is_replaced_at_once_and_then_with_pauses,
                     *boost::unit_test::precondition(fanotify_works)) {
  const auto on = native();
  begin_running(on);
  const auto inherited = supply->inherited();
  BOOST_TEST_REQUIRE(inherited.size() == 2u);
  BOOST_TEST(inherited[0].as == page_files::control_file_descriptor);
  BOOST_TEST(inherited[1].fd == on->group());
  for (const char* pause : {"retry after 0", "retry after 200", "retry after 200"}) {
    kill_filler();
    expect({"fill in pages", pause});
    supply->retry();
    jobs.finish();
    expect({});
  }
  host::agent_status status;
  supply->describe(status);
  BOOST_TEST(status.pages.fillers == 4u);
  BOOST_TEST(status.pages.filler == fillers.back());
  // A timer of an earlier pause starts no second one.
  supply->retry();
  BOOST_TEST(jobs.count() == 0u);

  supply->end([this] { heard.emplace_back("then"); });
  supply->end([this] { heard.emplace_back("and then"); });
  jobs.finish_all();
  expect({"then", "and then"});
  for (const pid_t each : fillers) BOOST_TEST(!exists(each));
}

BOOST_AUTO_TEST_CASE(a_successor_that_does_not_start_is_tried_again, *boost::unit_test::precondition(fanotify_works)) {
  begin_running(native());
  kill_filler();
  expect({"fill in pages", "retry after 0"});
  filler_error = core::error{core::errc::io_error, "no memory"};
  supply->retry();
  jobs.finish();
  expect({"start another filler of pages", "retry after 200"});
  filler_error.reset();
  supply->retry();
  jobs.finish();
  expect({});
  supply->end([this] { heard.emplace_back("then"); });
  jobs.finish_all();
  expect({"then"});
}

BOOST_AUTO_TEST_CASE(a_mount_ends_with_its_filler) {
  begin_running(mounted());
  BOOST_TEST(supply->inherited().size() == 1u);
  kill_filler();
  expect({"fill in pages", "lost"});
  supply->end([this] { heard.emplace_back("then"); });
  jobs.finish_all();
  expect({"remove mount", "then"});

  begin_running(mounted());
  supply->end([this] { heard.emplace_back("then"); });
  jobs.finish_all();
  expect({"remove mount", "then"});
  BOOST_TEST(!exists(fillers.back()));
}

BOOST_AUTO_TEST_CASE(a_first_filler_that_does_not_start_is_told_and_leaves_nothing) {
  filler_error = core::error{core::errc::io_error, "no memory"};
  supply->begin(mounted(), core::lsn(0x5000));
  jobs.finish();
  expect({"not begun: no memory"});
  supply->end([this] { heard.emplace_back("then"); });
  jobs.finish_all();
  expect({"remove mount", "then"});
}

BOOST_AUTO_TEST_CASE(a_filler_that_is_still_starting_is_ended_after_its_start) {
  supply->begin(mounted(), core::lsn(0x5000));
  supply->end([this] { heard.emplace_back("then"); });
  jobs.finish_all();
  expect({"remove mount", "then"});
  BOOST_TEST_REQUIRE(fillers.size() == 1u);
  BOOST_TEST(!exists(fillers.back()));
}

BOOST_AUTO_TEST_CASE(the_lsn_is_leased_in_time_while_pages_are_missing) {
  const auto filled = mounted();
  auto map = map_of(*filled);
  begin_running(filled);
  core::monotonic_time now{};
  const auto leases = [&] {
    map.beat();
    supply->look(now);
    jobs.finish_all();
    return std::count(heard.begin(), heard.end(), "lease");
  };
  const auto next_after = [&](std::chrono::milliseconds pause) {
    heard.clear();
    now += pause - 1ms;
    BOOST_TEST(leases() == 0);
    now += 1ms;
    BOOST_TEST(leases() == 1);
  };
  BOOST_TEST(leases() == 1);
  next_after(60s);
  leased = 9'000ms;
  next_after(60s);
  next_after(3s);
  leased = -1'000ms;
  next_after(3s);
  next_after(1s);
  // A server that is away says nothing about the pages; one that has collected them does.
  leased = core::error{core::errc::unavailable, "no server runs"};
  next_after(1s);
  BOOST_TEST(supply->waits().empty());
  leased = core::error{core::errc::out_of_range, "0/5000 is before the retention window"};
  next_after(1s);
  BOOST_TEST(supply->waits().find("before the retention window") != std::string::npos, supply->waits());
  leased = 600'000ms;
  next_after(1s);
  BOOST_TEST(supply->waits().empty());
  supply->end([] {});
  jobs.finish_all();

  // All pages are there; but a compute that begins at the same LSN again needs them then.
  for (const bool again : {false, true}) {
    supply.emplace(env().sockets(), jobs.jobs(), context(again));
    heard.clear();
    const auto on = mounted();
    begin_running(on);
    set_complete(*on);
    now += page_supply::lease_interval_max;
    BOOST_TEST(leases() == (again ? 1 : 0));
    supply->end([] {});
    jobs.finish_all();
  }
}

BOOST_AUTO_TEST_CASE(a_complete_directory_gets_no_other_filler, *boost::unit_test::precondition(fanotify_works)) {
  const auto on = native();
  begin_running(on);
  set_complete(*on);
  kill_filler();
  expect({"all present"});
  supply->look(core::monotonic_time{});
  supply->retry();
  BOOST_TEST(jobs.count() == 0u);
  host::agent_status status;
  supply->describe(status);
  BOOST_TEST(status.pages.complete);
  BOOST_TEST(status.pages.filler == 0);
  // Postgres still inherits what it opened its files with.
  BOOST_TEST(supply->inherited().size() == 2u);
  supply->end([this] { heard.emplace_back("then"); });
  expect({"then"});

  // The next directory has its own.
  begin_running(native());
  supply->end([this] { heard.emplace_back("then"); });
  jobs.finish_all();
  expect({"then"});
}

BOOST_AUTO_TEST_CASE(a_complete_mount_still_ends_with_its_filler) {
  const auto on = mounted();
  begin_running(on);
  set_complete(*on);
  kill_filler();
  expect({"fill in pages", "lost"});
  supply->end([] {});
  jobs.finish_all();
}

BOOST_AUTO_TEST_CASE(a_filler_that_hangs_is_killed_and_one_that_works_is_not) {
  const auto on = mounted();
  auto map = map_of(*on);
  begin_running(on);
  const pid_t filler = fillers.back();
  const auto looks = [&](int count) {
    for (int i = 0; i < count; ++i) supply->look(core::monotonic_time{});
    jobs.finish_all();
    std::erase(heard, "lease");
  };
  for (int round = 0; round < 3; ++round) {
    map.beat();
    looks(page_supply::silent_looks_told - 1);
    BOOST_TEST(supply->waits().empty());
    looks(page_supply::silent_looks_max - page_supply::silent_looks_told);
    expect({});
    BOOST_TEST(supply->waits().find("does not work") != std::string::npos);
    BOOST_TEST(!host::wait_for_end(filler, 0ms));
  }
  looks(1);
  expect({"fill in pages"});
  BOOST_TEST_REQUIRE(host::wait_for_end(filler, 10s));
  look();
  expect({"fill in pages", "lost"});
  looks(2 * page_supply::silent_looks_max);
  expect({});
}

BOOST_AUTO_TEST_CASE(a_filler_that_was_stopped_is_continued) {
  begin_running(mounted());
  const pid_t filler = fillers.back();
  const auto state = [&] {
    std::ifstream file("/proc/" + std::to_string(filler) + "/stat");
    std::string number, name, letter;
    file >> number >> name >> letter;
    return letter;
  };
  for (int round = 0; round < 2; ++round) {
    ::kill(filler, SIGSTOP);
    siginfo_t how{};
    BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(filler), &how, WSTOPPED | WNOWAIT) == 0);
    supply->look(core::monotonic_time{});
    BOOST_TEST(std::count(heard.begin(), heard.end(), "fill in pages") == round + 1);
    BOOST_TEST(state() != "T");
  }
  supply->end([] {});
  jobs.finish_all();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
