#include "control/safekeeper_processes.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include "core/log.hpp"
#include "host/program.hpp"

namespace strata::control {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// One that ran for so long is not in a loop of failures.
constexpr std::chrono::milliseconds healthy_run = 1min;

std::string named(std::uint64_t id) { return "safekeeper " + std::to_string(id); }

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

core::result<void> safekeeper_processes::start(std::uint64_t count, std::chrono::milliseconds limit) {
  for (const auto id : known_safekeepers(options_.directory)) kept_.try_emplace(id);
  for (std::uint64_t id = 1; id <= count; ++id) kept_.try_emplace(id);
  for (auto& [id, of] : kept_) begin(id, of);

  const auto deadline = options_.now() + limit;
  const auto ready_count = [&] {
    return static_cast<std::size_t>(
        std::count_if(kept_.begin(), kept_.end(), [&](const auto& each) { return ready(each.first, each.second); }));
  };
  while (ready_count() < kept_.size() && options_.now() < deadline) {
    std::this_thread::sleep_for(10ms);
    look_after();
    // Whatever ended at its very start would only end again: no reason to wait for the deadline.
    if (std::all_of(kept_.begin(), kept_.end(),
                    [&](const auto& each) { return each.second.process == 0 || ready(each.first, each.second); }))
      break;
  }
  const std::size_t good = ready_count();
  std::string missing;
  for (const auto& [id, of] : kept_)
    if (!ready(id, of)) missing += (missing.empty() ? "" : ", ") + std::to_string(id);
  if (good * 2 <= kept_.size() && !kept_.empty()) {
    give_up();
    return core::error{core::errc::unavailable, "of " + std::to_string(kept_.size()) +
                                                    " safekeepers, these are not ready: " + missing + "; see " +
                                                    options_.directory + "/safekeepers/*/safekeeper.log"};
  }
  if (!missing.empty()) core::log_warning("these safekeepers are not ready yet: " + missing);
  return {};
}

void safekeeper_processes::look_after() {
  for (auto& [id, of] : kept_) {
    if (of.process != 0) reap(id, of);
    if (of.process == 0 && options_.now() >= of.restart) begin(id, of);
  }
}

void safekeeper_processes::begin(std::uint64_t id, kept& of) {
  of.since = options_.now();
  if (const auto holder = safekeeper_process(options_.directory, id); holder && *holder > 0) {
    of.process = *holder;
    of.child = false;
    return core::log_info(named(id) + " is already running: process " + std::to_string(*holder));
  }
  const std::string directory = safekeeper_directory(options_.directory, id);
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed) return ended(id, of, "can't be started: " + failed.message());
  const auto started = host::start_detached({.arguments = options_.command(id)}, directory + "/safekeeper.log");
  if (!started) return ended(id, of, "can't be started: " + core::to_string(started.error()));
  of.process = *started;
  of.child = true;
  core::log_info(named(id) + " started: process " + std::to_string(of.process));
}

void safekeeper_processes::reap(std::uint64_t id, kept& of) {
  int status = 0;
  if (!of.child) {
    if (!host::is_running(of.process)) ended(id, of, "ended");
  } else if (::waitpid(of.process, &status, WNOHANG) == of.process) {
    ended(id, of, how_it_ended(status));
  }
}

void safekeeper_processes::ended(std::uint64_t id, kept& of, const std::string& how) {
  const auto now = options_.now();
  of.process = 0;
  if (now - of.since >= healthy_run) of.pauses.reset();
  const auto pause = of.pauses.next();
  of.restart = now + pause;
  core::log_error(named(id) + " " + how + "; it is restarted in " + std::to_string(pause / 1s) + " s");
}

bool safekeeper_processes::ready(std::uint64_t id, const kept& of) const {
  if (of.process == 0) return false;
  const auto file = read_safekeeper_file(safekeeper_directory(options_.directory, id));
  return file && file->pid == of.process;
}

void safekeeper_processes::give_up() {
  for (auto& [id, of] : kept_)
    if (of.process != 0 && of.child) ::kill(of.process, SIGTERM);
  for (auto& [id, of] : kept_) {
    if (of.process == 0 || !of.child) continue;
    if (!host::wait_for_end(of.process, 10s)) ::kill(of.process, SIGKILL);
    ::waitpid(of.process, nullptr, 0);
  }
}

std::vector<std::string> safekeeper_command(const config::server_options& options, const std::string& broker_address,
                                            std::uint64_t id) {
  const std::string directory = safekeeper_directory(options.directory, id);
  return {std::filesystem::read_symlink("/proc/self/exe").string(),
          "safekeeper",
          "run",
          "--id",
          std::to_string(id),
          "--data",
          directory,
          "--broker",
          broker_address,
          "--tls",
          options.directory + "/tls",
          "--wal-backup",
          options.directory + "/wal_backup",
          "--log-file",
          directory + "/safekeeper.log"};
}

core::result<std::size_t> stop_safekeepers(const std::string& server_directory, std::chrono::milliseconds limit) {
  std::map<std::uint64_t, pid_t> running;
  for (const auto id : known_safekeepers(server_directory))
    if (const auto process = safekeeper_process(server_directory, id); process && *process > 0)
      running.emplace(id, *process);
  for (const auto& [id, process] : running) ::kill(process, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (const auto& [id, process] : running) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (!host::wait_for_end(process, std::max(left, 0ms)))
      return core::error{core::errc::timeout, named(id) + ", process " + std::to_string(process) +
                                                  ", was asked to stop and is still running"};
  }
  return running.size();
}

}  // namespace strata::control
