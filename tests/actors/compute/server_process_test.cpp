#include "actors/compute/server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <list>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/held_jobs.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/socket_listener.hpp"

namespace strata::actors::compute {
namespace {

using calls = std::vector<std::string>;

bool readable(const io::unique_fd& fd) {
  constexpr int limit_ms = 20'000;
  pollfd one{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, limit_ms) == 1;
}

std::pair<io::unique_fd, io::unique_fd> make_pipe() {
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  return {io::unique_fd(ends[0]), io::unique_fd(ends[1])};
}

/// A child of the test that runs a script of the shell; it waits for input or its end with `hold`. Killed and reaped
/// by the destructor, and it ends by itself when the test does.
class script {
 public:
  explicit script(const std::string& text) {
    auto [input, our_end] = make_pipe();
    auto [our_output, output] = make_pipe();
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, input.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output.get(), STDOUT_FILENO);
    // A program that a shell has put into the background passes on that it ignores some signals.
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t all;
    ::sigfillset(&all);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    std::string program = "ulimit -c 0; hold() { echo ready; read -r line; }; " + text;
    std::string shell = "sh";
    std::string option = "-c";
    const std::array<char*, 4> arguments{shell.data(), option.data(), program.data(), nullptr};
    const int failure = ::posix_spawn(&pid_, "/bin/sh", &files, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    BOOST_REQUIRE(failure == 0);
    input_ = std::move(our_end);
    output_ = std::move(our_output);
    process_ = io::unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    BOOST_REQUIRE(static_cast<bool>(process_));
  }
  ~script() {
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  script(const script&) = delete;
  script& operator=(const script&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits until the script holds.
  [[nodiscard]] bool holds() const { return readable(output_); }
  void go_on() { input_.reset(); }
  void signal(int number) const { ::syscall(SYS_pidfd_send_signal, process_.get(), number, nullptr, 0); }
  /// Waits for its end; does not reap it.
  [[nodiscard]] bool ends() const { return readable(process_); }
  [[nodiscard]] bool runs() const {
    pollfd one{.fd = process_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) == 0;
  }
  [[nodiscard]] bool reaped() const {
    siginfo_t found{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &found, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
  }
  /// As a job of the host does it: a signal, the wait, and the process is reaped.
  server_process::ender ended_by(int number) {
    return [this, number]() -> core::result<void> {
      signal(number);
      if (!ends()) return core::error{core::errc::timeout, "it did not stop"};
      ::waitpid(pid_, nullptr, WNOHANG);
      return {};
    };
  }
  server_process::starter starter() const {
    return [pid = pid_] { return core::result<pid_t>(pid); };
  }

 private:
  pid_t pid_ = 0;
  io::unique_fd input_;
  io::unique_fd output_;
  io::unique_fd process_;
};

/// No descriptor can be opened while it lives.
class no_more_descriptors {
 public:
  no_more_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const io::unique_fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next.get());
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
  }
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  no_more_descriptors(const no_more_descriptors&) = delete;
  no_more_descriptors& operator=(const no_more_descriptors&) = delete;

 private:
  rlimit before_{};
};

struct with_server : tests::listening_system {
  with_server() : listening_system([this](const runtime::socket_ready& event) { fired(event); }) {}

  script& run_script(const std::string& text) { return scripts.emplace_back(text); }
  /// A server that runs and is watched.
  script& start(const std::string& text = "hold") {
    script& made = run_script(text);
    server->start(made.starter());
    jobs.finish();
    expect({"started"});
    if (text.find("hold") != std::string::npos) BOOST_REQUIRE(made.holds());
    return made;
  }
  /// Reports since the last call.
  void expect(const calls& expected, const std::source_location& where = std::source_location::current()) {
    BOOST_TEST_CONTEXT("line " << where.line())
    BOOST_TEST(std::exchange(heard, {}) == expected, boost::test_tools::per_element());
  }
  void fired(const runtime::socket_ready& event) {
    ++events;
    last_token = event.token;
    if (server) server->on_ready(event.token);
  }

  std::list<script> scripts;
  tests::held_jobs jobs;
  calls heard;
  int events = 0;
  runtime::watch_token last_token{};
  std::optional<server_process> server{
      std::in_place, env().sockets(), jobs.jobs(),
      server_process::context{
          .owner = [this] { return listener; },
          .started =
              [this](const core::result<void>& how) {
                heard.push_back(how ? "started" : "not started: " + how.error().detail);
              },
          .ended = [this] { heard.emplace_back("ended"); },
          .note = [this](const char* doing,
                         const core::error& why) { heard.push_back(std::string(doing) + ": " + why.detail); }}};
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_server_process, with_server)

BOOST_AUTO_TEST_CASE(a_server_that_ends_by_itself_is_reported_once_and_reaped) {
  for (const char* text : {"hold; exit 0", "hold; exit 3"}) {
    script& process = start(text);
    look();
    BOOST_TEST(heard.empty());
    process.go_on();
    BOOST_REQUIRE(process.ends());
    look();
    look();
    expect({"ended"});
    BOOST_TEST(events == 1);
    BOOST_TEST(process.reaped());
    events = 0;
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_a_signal_ends_is_reported_once_and_reaped) {
  for (const int number : {SIGKILL, SIGTERM, SIGSEGV, SIGQUIT}) {
    script& process = start();
    process.signal(number);
    BOOST_REQUIRE(process.ends());
    look();
    expect({"ended"});
    BOOST_TEST(process.reaped());
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_and_goes_on_has_not_ended) {
  script& process = start();
  process.signal(SIGSTOP);
  siginfo_t how{};
  BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(process.pid()), &how, WSTOPPED | WNOWAIT) == 0);
  look();
  process.signal(SIGCONT);
  look();
  BOOST_TEST(heard.empty());
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_before_it_is_watched_has_started_and_ended) {
  script& process = run_script("exit 0");
  server->start(process.starter());
  jobs.work();
  BOOST_REQUIRE(process.ends());
  jobs.report();
  look();
  expect({"started", "ended"});
  BOOST_TEST(process.reaped());
}

BOOST_AUTO_TEST_CASE(a_start_that_fails_is_reported_with_its_reason) {
  server->start([] { return core::result<pid_t>(core::error{core::errc::io_error, "its log: no room"}); });
  jobs.finish();
  server->start([]() -> core::result<pid_t> { throw std::runtime_error("no memory"); });
  jobs.finish();
  server->quit_now();
  look();
  expect({"not started: its log: no room", "not started: internal error: no memory"});
  start();
}

BOOST_AUTO_TEST_CASE(a_server_whose_end_cannot_be_watched_is_not_left_running) {
  script& process = run_script("hold");
  BOOST_REQUIRE(process.holds());
  server->start(process.starter());
  jobs.work();
  {
    const no_more_descriptors none;
    jobs.report();
  }
  BOOST_REQUIRE(heard.size() == 1u);
  BOOST_TEST(heard[0].starts_with("not started: watch Postgres, process " + std::to_string(process.pid())), heard[0]);
  BOOST_TEST(process.ends());
  look();
  BOOST_TEST(heard.size() == 1u);
  heard.clear();
  start();
}

BOOST_AUTO_TEST_CASE(a_server_that_others_have_reaped_already_is_not_taken_for_a_running_one) {
  script& process = run_script("exit 0");
  BOOST_REQUIRE(process.ends());
  BOOST_REQUIRE(::waitpid(process.pid(), nullptr, 0) == process.pid());
  server->start(process.starter());
  jobs.finish();
  look();
  BOOST_REQUIRE(heard.size() == 1u);
  BOOST_TEST(heard[0].starts_with("not started: "), heard[0]);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_started_while_the_watcher_stops_is_not_left_running) {
  script& process = run_script("hold");
  BOOST_REQUIRE(process.holds());
  env().sockets().stop();
  server->start(process.starter());
  jobs.finish();
  BOOST_REQUIRE(heard.size() == 1u);
  BOOST_TEST(heard[0].find("shutting down") != std::string::npos, heard[0]);
  BOOST_TEST(process.ends());
}

BOOST_AUTO_TEST_CASE(an_end_is_reported_by_its_job_when_the_event_comes_first) {
  script& process = start();
  server->end("stop Postgres", process.ended_by(SIGTERM));
  BOOST_TEST(jobs.name() == "stop Postgres");
  jobs.work();
  look();
  BOOST_TEST(events == 1);
  BOOST_TEST(heard.empty());
  jobs.report();
  look();
  expect({"ended"});
  BOOST_TEST(process.reaped());
}

BOOST_AUTO_TEST_CASE(an_end_is_reported_by_its_job_when_the_event_comes_last) {
  script& process = start();
  server->end("stop Postgres", process.ended_by(SIGTERM));
  jobs.work();
  post_events();
  jobs.report();
  run();
  BOOST_TEST(events == 1);
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_while_the_job_that_ends_it_waits_is_reported_once) {
  script& process = start();
  server->end("stop Postgres", process.ended_by(SIGTERM));
  process.signal(SIGKILL);
  BOOST_REQUIRE(process.ends());
  look();
  jobs.finish();
  look();
  expect({"ended"});
  BOOST_TEST(process.reaped());
}

BOOST_AUTO_TEST_CASE(a_job_that_does_not_reap_leaves_no_zombie) {
  script& process = start();
  server->end("stop Postgres", [&]() -> core::result<void> {
    process.signal(SIGKILL);
    BOOST_TEST(process.ends());
    return {};
  });
  jobs.finish();
  BOOST_TEST(process.reaped());
}

BOOST_AUTO_TEST_CASE(a_server_that_ignores_the_signal_is_noted_and_counts_as_ended) {
  script& process = start("trap '' TERM; hold");
  server->end("stop Postgres", [&]() -> core::result<void> {
    process.signal(SIGTERM);
    return core::error{core::errc::timeout, "it did not stop"};
  });
  jobs.finish();
  expect({"end Postgres: it did not stop", "ended"});
  BOOST_TEST(process.runs());
  // Its end after that is of no interest any more.
  process.signal(SIGKILL);
  BOOST_REQUIRE(process.ends());
  look();
  BOOST_TEST(heard.empty());
}

BOOST_AUTO_TEST_CASE(an_end_without_a_server_is_reported) {
  server->end("stop Postgres", [] { return core::result<void>(); });
  jobs.finish();
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(two_jobs_that_end_one_server_report_once_after_the_last_of_them) {
  for (const std::size_t first : {0u, 1u}) {
    script& process = start();
    server->end("stop Postgres", process.ended_by(SIGTERM));
    server->abandon(process.ended_by(SIGKILL));
    BOOST_TEST(jobs.count() == 2u);
    jobs.finish(first);
    look();
    BOOST_TEST(heard.empty());
    jobs.finish();
    look();
    expect({"ended"});
  }
}

BOOST_AUTO_TEST_CASE(an_abandoned_server_gets_sigquit_before_any_job_runs) {
  script& process = start();
  server->abandon(process.ended_by(SIGKILL));
  BOOST_TEST(process.ends());
  look();
  BOOST_TEST(heard.empty());
  jobs.finish();
  expect({"ended"});
  BOOST_TEST(process.reaped());
}

BOOST_AUTO_TEST_CASE(an_abandoned_server_that_ignores_sigquit_is_ended_by_the_job) {
  script& process = start("trap '' QUIT; hold");
  server->abandon(process.ended_by(SIGKILL));
  look();
  BOOST_TEST(process.runs());
  jobs.finish();
  BOOST_TEST(!process.runs());
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(a_server_that_is_abandoned_while_it_starts_is_ended_after_its_start) {
  script& process = run_script("hold");
  server->start(process.starter());
  server->abandon(process.ended_by(SIGKILL));
  BOOST_TEST(jobs.count() == 1u);
  BOOST_TEST(process.runs());
  jobs.finish();
  BOOST_TEST(heard.empty());
  BOOST_REQUIRE(jobs.count() == 1u);
  BOOST_TEST(jobs.name() == "kill Postgres");
  jobs.finish();
  look();
  expect({"ended"});
  BOOST_TEST(process.reaped());
  heard.clear();
  start();  // the next one is not abandoned
}

BOOST_AUTO_TEST_CASE(a_server_that_is_abandoned_twice_while_it_starts_is_ended_once) {
  script& process = run_script("hold");
  server->start(process.starter());
  server->abandon(process.ended_by(SIGKILL));
  server->abandon(process.ended_by(SIGKILL));
  jobs.finish_all();
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(an_abandoned_start_that_fails_is_reported_as_an_end) {
  bool looked = false;
  server->start([] { return core::result<pid_t>(core::error{core::errc::io_error, "no room"}); });
  server->abandon([&] {
    looked = true;
    return core::result<void>();
  });
  jobs.finish_all();
  BOOST_TEST(looked);
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(the_event_of_one_server_is_not_the_end_of_the_next_one) {
  script& first = start();
  server->end("stop Postgres", first.ended_by(SIGKILL));
  jobs.work();
  post_events();
  jobs.report();
  heard.clear();
  script& second = start();
  run();
  BOOST_TEST(heard.empty());
  server->on_ready(last_token);
  BOOST_TEST(heard.empty());
  second.go_on();
  BOOST_REQUIRE(second.ends());
  look();
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(quitting_now_reaches_a_running_server_only) {
  server->quit_now();
  script& process = start();
  script& other = run_script("hold");
  BOOST_REQUIRE(other.holds());
  server->quit_now();
  BOOST_REQUIRE(process.ends());
  server->quit_now();  // a zombie
  look();
  server->quit_now();
  expect({"ended"});
  BOOST_TEST(other.runs());
}

BOOST_AUTO_TEST_CASE(quitting_now_after_the_job_has_reaped_it_signals_nobody) {
  script& process = start();
  server->end("stop Postgres", process.ended_by(SIGKILL));
  jobs.work();
  BOOST_TEST(process.reaped());
  server->quit_now();
  jobs.report();
  expect({"ended"});
}

BOOST_AUTO_TEST_CASE(an_owner_that_goes_leaves_the_server_and_gets_no_event_of_it) {
  script& process = start();
  server.reset();
  BOOST_TEST(process.runs());
  process.signal(SIGKILL);
  BOOST_REQUIRE(process.ends());
  look();
  BOOST_TEST(events == 0);
}

BOOST_AUTO_TEST_CASE(a_server_that_the_job_did_not_find_is_killed_and_reaped_before_its_end_is_reported) {
  script& process = start("trap '' QUIT; hold");
  server->abandon([] { return core::result<void>(); });
  jobs.finish();
  expect({});
  BOOST_REQUIRE(process.ends());
  look();
  expect({"ended"});
  BOOST_TEST(process.reaped());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
