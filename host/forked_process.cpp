#include "host/forked_process.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/check.hpp"
#include "host/command_line.hpp"
#include "host/libpq_environment.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {
namespace {

void forget_libpq_variables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (is_libpq_variable(name)) names.emplace_back(name);
  }
  for (const auto& name : names) ::unsetenv(name.c_str());
}

void restore_signals() {
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    struct sigaction now {};
    if (::sigaction(each, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) ::signal(each, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Those with a number in `kept` stay open; of a lock of this process the parent keeps its half.
bool close_others(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned from = STDERR_FILENO + 1;
  for (const int each : kept) {
    const auto number = static_cast<unsigned>(each);
    if (number > from && ::syscall(SYS_close_range, from, number - 1, 0) != 0) return false;
    from = number + 1;
  }
  return ::syscall(SYS_close_range, from, UINT_MAX, 0) == 0;
}

bool arrange_files(const forked_work& what, int output) {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) return false;
  // First out of the way of the numbers that are wanted.
  int above = STDERR_FILENO + 1;
  for (const auto& each : what.inherited) above = std::max(above, each.as + 1);
  std::vector<int> lifted;
  for (const auto& each : what.inherited) lifted.push_back(::fcntl(each.fd, F_DUPFD_CLOEXEC, above));
  std::vector<int> numbers;
  for (std::size_t i = 0; i < lifted.size(); ++i) {
    // Closed on exec: what is started from here inherits what its own starter names.
    if (lifted[i] < 0 || ::dup3(lifted[i], what.inherited[i].as, O_CLOEXEC) < 0) return false;
    numbers.push_back(what.inherited[i].as);
  }
  return close_others(numbers);
}

[[noreturn]] void work(const forked_work& what, int output) {
  constexpr int failed = 127;
  if (::setsid() < 0 || !arrange_files(what, output)) ::_exit(failed);
  forget_libpq_variables();
  show_command_line(what.command_line);
  restore_signals();
  std::exit(what.run());
}

}  // namespace

bool has_one_thread() {
  std::error_code failure;
  std::size_t threads = 0;
  for (std::filesystem::directory_iterator at("/proc/self/task", failure), end; !failure && at != end;
       at.increment(failure))
    ++threads;
  return !failure && threads == 1;
}

core::result<pid_t> fork_detached(const forked_work& what, const std::string& log_file) {
  core::check(has_one_thread(), "a process that forks has one thread");
  const io::unique_fd output(::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!output) return core::from_errno("open " + log_file, errno);
  // The child would write it a second time.
  std::fflush(nullptr);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = ::fork();
  const int fork_failure = errno;
  if (child == 0) work(what, output.get());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return core::from_errno("start " + what.command_line.front(), fork_failure);
  return child;
}

}  // namespace strata::host
