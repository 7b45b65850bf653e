#include "control/agents.hpp"

#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "config/quantity.hpp"
#include "control/child_process.hpp"
#include "control/compute_settings.hpp"
#include "control/failure.hpp"
#include "control/server_file.hpp"
#include "host/directory_watch.hpp"
#include "host/forked_process.hpp"
#include "host/postgres_process.hpp"
#include "host/program.hpp"

namespace strata::control {
namespace {

using host::agent_state;
using host::agent_status;
using host::compute_record;

/// Nothing moves for that long: it will not come up by waiting.
constexpr std::chrono::minutes progress_limit{2};
/// For an agent whose Postgres is gone.
constexpr std::chrono::seconds end_limit{30};

std::string directory_of(const scope& of, const std::string& compute) {
  return host::registry(of.directory).directory_of(compute);
}

std::string log_of(const scope& of, const std::string& compute) { return directory_of(of, compute) + "/agent.log"; }

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) last = line;
  return last;
}

/// In the words of `compute list` and of the agent's log.
void show(progress& line, const agent_status& status) {
  const bool restores = status.state == agent_state::restoring;
  const bool copies = restores && status.restored_bytes > 0;
  line.show(host::to_string(status.state), copies ? config::size_text(status.restored_bytes) : status.detail);
}

core::result<pid_t> launch(const scope& of, const std::string& compute) {
  const std::vector<std::string> words{
      std::filesystem::read_symlink("/proc/self/exe"), "compute-agent", "--dir", of.directory, "--name", compute};
  if (!of.run_agent || !host::has_one_thread()) return host::start_detached({.arguments = words}, log_of(of, compute));
  const auto run = [&] { return run_child([&] { of.run_agent(compute); }); };
  return host::fork_detached({.command_line = words, .run = run}, log_of(of, compute));
}

[[noreturn]] void give_up(const scope& of, const compute_record& record, const std::string& why, core::errc code) {
  stop_agent(of, record);
  throw failure(code, "Postgres did not start on " + record.branch, why,
                code == core::errc::timeout ? "strata status" : next_after_failed_start(record, "strata status"));
}

}  // namespace

std::optional<pid_t> agent_of(const scope& of, const std::string& compute) {
  return directory_lock::holder(directory_of(of, compute));
}

bool has_agent_status(const scope& of, const std::string& compute) {
  // The file of one that was killed stays until the next one writes its own.
  const auto agent = agent_of(of, compute);
  const auto status = host::load_status(directory_of(of, compute));
  return status && (!agent || *agent <= 0 || status->pid == *agent);
}

agent_status status_of(const scope& of, const compute_record& record) {
  // Asked before the file is read: what it wrote last is there when it is gone.
  const auto agent = agent_of(of, record.name);
  auto read = host::load_status(directory_of(of, record.name));
  agent_status status = read ? *std::move(read) : agent_status{};
  if (agent && *agent > 0 && status.pid != *agent) {
    status = {};
    status.pid = *agent;
    status.detail = "its agent is starting";
  }
  // Nobody looks at it any more.
  if (!agent && status.standby) status.standby->lag_bytes.reset(), status.standby->lag.reset();
  if (agent || is_final(status.state)) return status;
  status.state = agent_state::failed;
  status.detail = "its agent ended unexpectedly; see " + log_of(of, record.name);
  return status;
}

agent_status start_agent(const scope& of, const compute_record& record) {
  const host::directory_watch watch(directory_of(of, record.name));
  const pid_t pid = need(launch(of, record.name), "can't start the compute's agent", "");
  progress line(*of.report);
  auto moved = std::chrono::steady_clock::now();
  std::pair<agent_state, std::uint64_t> seen{};
  for (;;) {
    const bool ended = watch.wait_or_end(pid);
    const auto status = host::load_status(directory_of(of, record.name));
    const bool current = status && status->pid == pid;
    if (current && status->state == agent_state::running) return *status;
    if (current && is_final(status->state)) {
      line.end();
      give_up(of, record, status->detail, core::errc::io_error);
    }
    if (ended) {
      ::waitpid(pid, nullptr, WNOHANG);
      line.end();
      give_up(of, record, "its agent ended: " + last_line(log_of(of, record.name)), core::errc::io_error);
    }
    const auto now = std::chrono::steady_clock::now();
    if (current && std::pair(status->state, status->restored_bytes) != seen) {
      seen = {status->state, status->restored_bytes};
      moved = now;
    }
    if (now - moved > progress_limit) {
      line.end();
      give_up(of, record, current ? status->detail : "its agent does not report", core::errc::timeout);
    }
    if (current) show(line, *status);
  }
}

void stop_agent(const scope& of, const compute_record& record, std::chrono::milliseconds limit) {
  const auto agent = agent_of(of, record.name);
  if (!agent || *agent <= 0) return;
  ::kill(*agent, SIGTERM);
  progress line(*of.report);
  if (record.mode == host::compute_mode::branch) line.show("stopping " + record.name, "waiting for acknowledgements");
  bool ended = host::wait_for_end(*agent, limit);
  const bool is_cut_short = !ended && host::running_postgres(record.data_directory);
  if (is_cut_short)
    need(host::abandon_postgres(record.data_directory), "can't stop " + record.name, "its log is " + record.log_file);
  ended = ended || host::wait_for_end(*agent, end_limit);
  // Without its record nobody knows where its Postgres is; but that ends with its agent.
  if (!ended && record.branch.empty()) {
    ::kill(*agent, SIGKILL);
    ended = host::wait_for_end(*agent, end_limit);
  }
  ::waitpid(*agent, nullptr, WNOHANG);
  line.end();
  if (!ended)
    throw failure(core::errc::timeout, "can't stop " + record.name,
                  "its agent, process " + std::to_string(*agent) + ", was asked to stop and is still running",
                  "wait, or kill -9 " + std::to_string(*agent) + "; nothing acknowledged is lost");
  if (is_cut_short)
    throw failure(
        core::errc::timeout, record.name + " was stopped, but not cleanly",
        "its last WAL was not acknowledged by a majority of the safekeepers within " + config::duration_text(limit) +
            "; every transaction whose COMMIT returned is kept, waiting transactions may be lost",
        "strata safekeeper list" +
            (record.branch.empty() ? std::string() : "; strata compute start " + record.tenant + "/" + record.branch));
}

}  // namespace strata::control
