#include "host/forked_process.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>
#include <vector>

#include "io/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Words that are separated by a zero, or by a blank where they need the room of the environment.
std::string shown(std::string command_line) {
  while (command_line.ends_with('\0')) command_line.pop_back();
  for (char& c : command_line)
    if (c == '\0') c = ' ';
  return command_line;
}

struct with_log {
  /// The exit code of a child that does this; its output is in the log.
  int run(forked_work what) const {
    const auto child = fork_detached(what, log);
    BOOST_TEST_REQUIRE(child.has_value());
    int status = 0;
    while (::waitpid(*child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  tests::temp_dir home;
  std::string log = home / "log";
};

BOOST_FIXTURE_TEST_SUITE(host_forked_process, with_log)

BOOST_AUTO_TEST_CASE(its_exit_code_and_output_are_those_of_its_work) {
  BOOST_TEST(run({.command_line = {"strata", "x"}, .run = [] {
                    std::puts("to the log");
                    std::fputs("errors, too\n", stderr);
                    return 7;
                  }}) == 7);
  const std::string text = text_of(log);
  BOOST_TEST(text.find("to the log\n") != text.npos);
  BOOST_TEST(text.find("errors, too\n") != text.npos);
}

BOOST_AUTO_TEST_CASE(ps_shows_its_command_line) {
  const std::string room(::strlen(program_invocation_name), 'x');
  for (const std::size_t length : {std::size_t{1}, room.size(), room.size() + 200}) {
    const std::string word(length, 'w');
    std::filesystem::remove(log);
    BOOST_TEST(run({.command_line = {"strata", "compute-agent", word}, .run = [] {
                      const std::string text = text_of("/proc/self/cmdline");
                      std::ignore = ::write(1, text.data(), text.size());
                      return 0;
                    }}) == 0);
    BOOST_TEST(shown(text_of(log)) == "strata compute-agent " + word);
  }
  // That of this process is its own.
  BOOST_TEST(shown(text_of("/proc/self/cmdline")).find("compute-agent") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(variables_are_still_there_after_their_room_was_taken_but_none_of_libpq) {
  ::setenv("STRATA_TEST_VARIABLE", "kept", 1);
  ::setenv("PGHOST", "elsewhere", 1);
  ::setenv("PGPASSWORD", "secret", 1);
  const std::string word(2000, 'w');
  BOOST_TEST(run({.command_line = {"strata", word}, .run = [] {
                    const char* kept = ::getenv("STRATA_TEST_VARIABLE");
                    const bool none = ::getenv("PGHOST") == nullptr && ::getenv("PGPASSWORD") == nullptr;
                    return kept != nullptr && std::string(kept) == "kept" && ::getenv("PATH") != nullptr && none ? 0
                                                                                                                 : 1;
                  }}) == 0);
  ::unsetenv("PGHOST");
  ::unsetenv("PGPASSWORD");
}

BOOST_AUTO_TEST_CASE(it_has_the_open_files_that_are_named_and_no_others) {
  const io::unique_fd first(::memfd_create("first", MFD_CLOEXEC));
  const io::unique_fd second(::memfd_create("second", MFD_CLOEXEC));
  const io::unique_fd other(::memfd_create("other", 0));
  std::ignore = ::write(first.get(), "1", 1);
  std::ignore = ::write(second.get(), "22", 2);
  // Each under the number of the other one.
  const std::vector<inherited_file> files{{first.get(), second.get()}, {second.get(), first.get()}};
  BOOST_TEST(run({.command_line = {"strata"}, .inherited = files, .run = [&] {
                    if (::lseek(second.get(), 0, SEEK_END) != 1 || ::lseek(first.get(), 0, SEEK_END) != 2) return 1;
                    if (::fcntl(other.get(), F_GETFD) >= 0) return 2;
                    // And the one that lists them.
                    std::size_t count = 0;
                    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
                      ++count;
                    return count == 6 ? 0 : 3;
                  }}) == 0);
}

BOOST_AUTO_TEST_CASE(it_is_in_a_session_of_its_own_and_signals_do_what_they_do_by_default) {
  ::signal(SIGTERM, [](int) {});
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGINT);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  const auto child = fork_detached({.command_line = {"strata"},
                                    .run =
                                        [] {
                                          if (::getsid(0) != ::getpid()) return 1;
                                          ::raise(SIGTERM);
                                          return 2;
                                        }},
                                   log);
  BOOST_TEST_REQUIRE(child.has_value());
  int status = 0;
  ::waitpid(*child, &status, 0);
  BOOST_TEST(WIFSIGNALED(status));
  BOOST_TEST(WTERMSIG(status) == SIGTERM);
  BOOST_TEST(run({.command_line = {"strata"}, .run = [] {
                    sigset_t now;
                    ::sigprocmask(SIG_BLOCK, nullptr, &now);
                    return ::sigismember(&now, SIGINT);
                  }}) == 0);
}

BOOST_AUTO_TEST_CASE(what_was_not_written_yet_is_written_once) {
  const auto out = home / "out";
  std::FILE* file = std::fopen(out.c_str(), "w");
  std::fputs("once", file);
  BOOST_TEST(run({.command_line = {"strata"}, .run = [] { return 0; }}) == 0);
  std::fclose(file);
  BOOST_TEST(text_of(out) == "once");
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_opened_starts_nothing) {
  const auto child = fork_detached({.command_line = {"strata"}, .run = [] { return 0; }}, home / "none" / "log");
  BOOST_TEST_REQUIRE(!child.has_value());
  BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) < 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
