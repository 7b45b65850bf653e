#include "tests/support/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace strata::tests {
namespace {

[[noreturn]] void fail(const std::string& doing) { throw std::system_error(errno, std::generic_category(), doing); }

/// Files in memory instead of pipes: a program never blocks on output that nobody reads yet.
int memory_file(const char* name) {
  const int file = ::memfd_create(name, MFD_CLOEXEC);
  if (file < 0) fail("create a memory file");
  return file;
}

void write_all(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0) fail("write the input of a program");
    done += static_cast<std::size_t>(count);
  }
}

std::string read_all(int file) {
  std::string text;
  if (file < 0) return text;
  char buffer[65536];
  off_t at = 0;
  for (ssize_t count; (count = ::pread(file, buffer, sizeof buffer, at)) > 0; at += count)
    text.append(buffer, static_cast<std::size_t>(count));
  return text;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  const std::string folders = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string candidate = folders.substr(begin, end - begin) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    begin = end + 1;
  }
  throw std::runtime_error("no program " + name + " in PATH");
}

std::vector<std::string> environment_of(const command& what) {
  std::map<std::string, std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) merged[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : what.environment) merged[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : merged) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything the child needs, made before the fork: between fork and exec only system calls are allowed, because
/// another thread may have held the allocator's lock.
struct launch {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<char*> argument_pointers;
  std::vector<char*> environment_pointers;
  std::string directory;
  const account* run_as;
  int in, out, err, report;
  int signal_at_death;
  pid_t parent;
};

[[noreturn]] void become(const launch& plan) {
  const auto check = [&](bool good) {
    if (good) return;
    const int reason = errno;
    [[maybe_unused]] const ssize_t told = ::write(plan.report, &reason, sizeof reason);
    ::_exit(127);
  };
  check(::dup2(plan.in, 0) >= 0 && ::dup2(plan.out, 1) >= 0 && ::dup2(plan.err, 2) >= 0);
  if (plan.run_as != nullptr) {
    check(::setgroups(plan.run_as->groups.size(), plan.run_as->groups.data()) == 0);
    check(::setgid(plan.run_as->group) == 0 && ::setuid(plan.run_as->user) == 0);
  }
  if (!plan.directory.empty()) check(::chdir(plan.directory.c_str()) == 0);
  // After setuid, which clears it; a parent that died before is noticed by the comparison.
  check(::prctl(PR_SET_PDEATHSIG, plan.signal_at_death) == 0);
  if (::getppid() != plan.parent) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.program.c_str(), plan.argument_pointers.data(), plan.environment_pointers.data());
  check(false);
  ::_exit(127);
}

}  // namespace

std::optional<account> postgres_account() {
  if (::geteuid() != 0) return std::nullopt;
  for (const char* name : {"postgres", "nobody"}) {
    const passwd* entry = ::getpwnam(name);
    if (entry == nullptr) continue;
    account found{name, entry->pw_uid, entry->pw_gid, {}};
    int count = 64;
    found.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(name, entry->pw_gid, found.groups.data(), &count) < 0) count = 1;
    found.groups.resize(static_cast<std::size_t>(count));
    return found;
  }
  throw std::runtime_error("neither a user postgres nor nobody, and Postgres refuses to run as root");
}

process::process(const command& what) {
  launch plan;
  plan.program = find_program(what.arguments.at(0));
  plan.arguments = what.arguments;
  plan.environment = environment_of(what);
  plan.argument_pointers = pointers_to(plan.arguments);
  plan.environment_pointers = pointers_to(plan.environment);
  plan.directory = what.directory.string();
  plan.run_as = what.run_as ? &*what.run_as : nullptr;
  plan.signal_at_death = what.signal_at_death;
  plan.parent = ::getpid();
  plan.in = memory_file("input");
  write_all(plan.in, what.input);
  ::lseek(plan.in, 0, SEEK_SET);
  int log = -1;
  if (what.log.empty()) {
    out_ = memory_file("output");
    err_ = memory_file("errors");
  } else {
    log = ::open(what.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) fail("open " + what.log.string());
  }
  plan.out = log >= 0 ? log : out_;
  plan.err = log >= 0 ? log : err_;
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) fail("make a pipe");
  plan.report = report[1];
  pid_ = ::fork();
  if (pid_ == 0) become(plan);
  ::close(report[1]);
  ::close(plan.in);
  if (log >= 0) ::close(log);
  int reason = 0;
  const bool failed = pid_ < 0 || ::read(report[0], &reason, sizeof reason) > 0;
  ::close(report[0]);
  if (failed) {
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    if (out_ >= 0) ::close(out_);
    if (err_ >= 0) ::close(err_);
    throw std::system_error(reason, std::generic_category(), "start " + plan.program);
  }
  handle_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
}

process::~process() {
  if (!exit_code_ && pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait_for(std::chrono::seconds(30));
  }
  for (const int file : {handle_, out_, err_})
    if (file >= 0) ::close(file);
}

bool process::running() { return !wait_for(std::chrono::milliseconds(0)); }

bool process::wait_for(std::chrono::milliseconds time) {
  if (exit_code_) return true;
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ended{handle_, POLLIN, 0};
    const int ready = ::poll(&ended, 1, static_cast<int>(std::max<long>(left, 0)));
    if (ready > 0) break;
    if (ready == 0) return false;
    if (errno != EINTR) fail("wait for a program");
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) fail("reap a program");
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return true;
}

finished process::wait(std::chrono::milliseconds limit) {
  if (!wait_for(limit)) {
    ::kill(pid_, SIGKILL);
    wait_for(std::chrono::seconds(30));
    throw std::runtime_error("a program ran longer than " + std::to_string(limit.count()) + " ms; it said: " + out() +
                             err());
  }
  return {*exit_code_, out(), err()};
}

void process::signal(int number) const {
  if (!exit_code_) ::kill(pid_, number);
}

std::string process::out() const { return read_all(out_); }
std::string process::err() const { return read_all(err_); }

finished run(const command& what, std::chrono::milliseconds limit) { return process(what).wait(limit); }

}  // namespace strata::tests
