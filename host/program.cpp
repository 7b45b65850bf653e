#include "host/program.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>

#include "host/libpq_environment.hpp"
#include "io/unique_fd.hpp"

extern char** environ;

namespace strata::host {
namespace {

constexpr std::size_t output_max = 1u << 20;

/// Everything a child needs, made before the fork: afterwards it may not allocate.
struct launch {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<char*> argument_pointers;
  std::vector<char*> environment_pointers;
  std::string directory;
  std::optional<account> run_as;
  int output = -1;
  int report = -1;
  bool new_session = false;
  int signal_at_death = 0;
  std::vector<inherited_file> inherited;  ///< `fd` is a copy above every number that is wanted
  std::optional<connection_block> block;  ///< none: it may connect
  pid_t parent = 0;
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

launch plan_of(const program& what) {
  launch plan;
  plan.arguments = what.arguments;
  auto changes = what.environment;
  // Others must not see root's home in what they read at start.
  if (what.run_as) changes.emplace_back("HOME", what.run_as->home);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    // A shell that is about another server must not lead a Postgres, or what it connects to, elsewhere.
    bool changed = is_libpq_variable(text.substr(0, text.find('=')));
    for (const auto& [name, value] : changes)
      changed = changed || (text.starts_with(name) && text.substr(name.size()).starts_with('='));
    if (!changed) plan.environment.emplace_back(text);
  }
  for (const auto& [name, value] : changes) plan.environment.push_back(name + "=" + value);
  plan.argument_pointers = pointers_to(plan.arguments);
  plan.environment_pointers = pointers_to(plan.environment);
  plan.directory = what.directory;
  plan.run_as = what.run_as;
  plan.signal_at_death = what.signal_at_death;
  plan.inherited = what.inherited;
  if (what.no_connections)
    if (auto made = connection_block::make(*what.no_connections)) plan.block = *std::move(made);
  plan.parent = ::getpid();
  return plan;
}

/// In the child. Only async-signal-safe calls.
[[noreturn]] void become(const launch& plan) {
  const auto give_up = [&] {
    const int reason = errno;
    [[maybe_unused]] const auto told = ::write(plan.report, &reason, sizeof reason);
    ::_exit(127);
  };
  // What this process does at a signal is not for a child.
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(each, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) ::signal(each, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (plan.new_session && ::setsid() < 0) give_up();
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.output, 2) < 0) give_up();
  if (plan.run_as) {
    const account& who = *plan.run_as;
    if (::setgroups(who.groups.size(), who.groups.data()) != 0 || ::setgid(who.group) != 0 || ::setuid(who.user) != 0)
      give_up();
  }
  // Behind the change of user, which takes it back. A parent that has ended before is not waited for.
  if (plan.signal_at_death != 0 &&
      (::prctl(PR_SET_PDEATHSIG, plan.signal_at_death) != 0 || ::getppid() != plan.parent)) {
    errno = ESRCH;
    give_up();
  }
  for (const auto& each : plan.inherited)
    if (::dup2(each.fd, each.as) < 0) give_up();
  if (!plan.directory.empty() && ::chdir(plan.directory.c_str()) != 0) give_up();
  if (plan.block && !plan.block->enter()) give_up();
  ::execve(plan.argument_pointers.front(), plan.argument_pointers.data(), plan.environment_pointers.data());
  give_up();
  ::_exit(127);
}

/// Copies that no wanted number is among.
core::result<std::vector<io::unique_fd>> lift(std::vector<inherited_file>& files) {
  int above = 0;
  for (const auto& each : files) above = std::max(above, each.as + 1);
  std::vector<io::unique_fd> lifted;
  for (auto& each : files) {
    each.fd = ::fcntl(each.fd, F_DUPFD_CLOEXEC, above);
    // A number above the limit is an invalid argument.
    if (each.fd < 0) return core::from_errno("copy a descriptor", errno == EINVAL ? EMFILE : errno);
    lifted.emplace_back(each.fd);
  }
  return lifted;
}

core::result<pid_t> spawn(launch& plan) {
  STRATA_ASSIGN(const auto lifted, lift(plan.inherited));
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return core::from_errno("make a pipe", errno);
  plan.report = report[1];
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = ::fork();
  const int fork_failure = errno;
  if (child == 0) become(plan);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(report[1]);
  int reason = 0;
  // Nothing comes, and the pipe closes, when the program was started.
  const bool failed = child < 0 || ::read(report[0], &reason, sizeof reason) > 0;
  ::close(report[0]);
  if (!failed) return child;
  if (child > 0) ::waitpid(child, nullptr, 0);
  return core::from_errno("start " + plan.arguments.front(), child < 0 ? fork_failure : reason);
}

std::string text_of(int file) {
  std::string text;
  ::lseek(file, 0, SEEK_SET);
  char part[4096];
  for (ssize_t got = 0; text.size() < output_max && (got = ::read(file, part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(got));
  return text;
}

}  // namespace

core::result<outcome> run(const program& what, std::chrono::milliseconds limit) {
  launch plan = plan_of(what);
  plan.output = ::memfd_create("output", MFD_CLOEXEC);
  if (plan.output < 0) return core::from_errno("keep a program's output", errno);
  const auto child = spawn(plan);
  if (!child) {
    ::close(plan.output);
    return child.error();
  }
  const bool ended = wait_for_end(*child, limit);
  if (!ended) ::kill(*child, SIGKILL);
  int status = 0;
  while (::waitpid(*child, &status, 0) < 0 && errno == EINTR) continue;
  outcome result{WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), text_of(plan.output)};
  ::close(plan.output);
  if (!ended) return core::error{core::errc::timeout, "run " + what.arguments.front() + ": it did not end in time"};
  return result;
}

core::result<pid_t> start_detached(const program& what, const std::string& log_file) {
  launch plan = plan_of(what);
  plan.new_session = true;
  plan.output = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (plan.output < 0) return core::from_errno("open " + log_file, errno);
  if (what.run_as && ::fchown(plan.output, what.run_as->user, what.run_as->group) != 0) {
    const int failure = errno;
    ::close(plan.output);
    return core::from_errno("give " + log_file + " to " + what.run_as->name, failure);
  }
  auto child = spawn(plan);
  ::close(plan.output);
  return child;
}

bool wait_for_end(pid_t process, std::chrono::milliseconds limit) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (handle < 0) return errno == ESRCH;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  bool ended = false;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd watched{handle, POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::max<long>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    ended = ready > 0;
    break;
  }
  ::close(handle);
  return ended;
}

bool is_running(pid_t process) {
  if (process <= 0) return false;
  if (::kill(process, 0) != 0 && errno == ESRCH) return false;
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= line.size() || line[name_end + 2] != 'Z';
}

}  // namespace strata::host
