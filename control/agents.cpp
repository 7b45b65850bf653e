#include "control/agents.hpp"

#include <sys/wait.h>

#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>

#include "config/quantity.hpp"
#include "control/child_process.hpp"
#include "control/compute_settings.hpp"
#include "control/failure.hpp"
#include "control/server_file.hpp"
#include "control/start_progress.hpp"
#include "host/directory_watch.hpp"
#include "host/forked_process.hpp"
#include "host/postgres_process.hpp"
#include "host/program.hpp"
#include "page_files/fuse_mount.hpp"

namespace strata::control {
namespace {

using host::agent_state;
using host::agent_status;
using host::compute_record;

/// For an agent whose Postgres is gone.
constexpr std::chrono::seconds end_limit{30};
/// For an agent whose start is given up: no commit waits.
constexpr std::chrono::seconds give_up_limit{5};
constexpr std::chrono::seconds kill_limit{10};
constexpr std::size_t log_lines_quoted = 5;

std::string directory_of(const scope& of, const std::string& compute) {
  return host::registry(of.directory).directory_of(compute);
}

std::string log_of(const scope& of, const std::string& compute) { return directory_of(of, compute) + "/agent.log"; }

/// The end of the log, for an error after which the log may be gone; empty: there is none.
std::string quoted_log(const std::string& path) {
  std::ifstream file(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(line);
    if (lines.size() > log_lines_quoted) lines.pop_front();
  }
  std::string text;
  for (const auto& line : lines) text += "\n  " + line;
  return text.empty() ? text : "; its log:" + text;
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
  const auto run = [&] { return run_child([&] { of.run_agent(of, compute); }); };
  return host::fork_detached({.command_line = words, .run = run}, log_of(of, compute));
}

/// "restoring: the server did not answer within 5 s"
std::string doing(const agent_status& status) {
  return host::to_string(status.state) + (status.detail.empty() ? std::string() : ": " + status.detail);
}

struct agent_end {
  bool ended = false;
  bool forced = false;  ///< Postgres did not end by itself within the limit
};
/// SIGTERM; after `limit` Postgres is ended at once; after `grace`, if nothing else helps and it may be, the agent.
agent_end end_agent(const scope& of, const compute_record& record, pid_t agent, std::chrono::milliseconds limit,
                    std::chrono::milliseconds grace, bool may_kill) {
  ::kill(agent, SIGTERM);
  agent_end made{.ended = wait_for_agent(of, record.name, agent, limit)};
  made.forced = !made.ended && host::running_postgres(record.data_directory);
  if (made.forced) {
    const auto abandoned = host::abandon_postgres(record.data_directory);
    if (!may_kill) need(abandoned, "can't stop " + record.name, "its log is " + record.log_file);
  }
  made.ended = made.ended || wait_for_agent(of, record.name, agent, grace);
  if (!made.ended && may_kill) {
    // Its Postgres ends with it.
    ::kill(agent, SIGKILL);
    made.ended = wait_for_agent(of, record.name, agent, kill_limit);
  }
  ::waitpid(agent, nullptr, WNOHANG);
  return made;
}

/// After `why`: what of a start that failed could not be ended; empty: nothing.
std::string end_of_start(const scope& of, const compute_record& record) {
  const auto agent = agent_of(of, record.name);
  if (!agent || *agent <= 0 || end_agent(of, record, *agent, give_up_limit, give_up_limit, true).ended) return "";
  return "; its agent, process " + std::to_string(*agent) + ", was killed and has not ended";
}

struct failed_start {
  core::errc code = core::errc::io_error;
  std::string why;
};

[[noreturn]] void give_up(const scope& of, const compute_record& record, const failed_start& why) {
  const std::string left = end_of_start(of, record);
  const bool may_succeed_later = why.code == core::errc::timeout || why.code == core::errc::conflict;
  throw failure(why.code, "Postgres did not start on " + record.branch, why.why + left,
                may_succeed_later ? "strata status" : next_after_failed_start(record, "strata status"));
}

/// `before`: its last status that was not final.
failed_start of_final(const agent_status& status, const agent_status& before) {
  if (status.state != agent_state::stopped || !status.detail.empty()) return {core::errc::io_error, status.detail};
  return {core::errc::conflict, "another command stopped it while it was " + doing(before)};
}

failed_start of_ended(const scope& of, const compute_record& record, pid_t agent, const agent_status& before) {
  int how = 0;
  const bool reaped = ::waitpid(agent, &how, WNOHANG) == agent;
  std::string why = "its agent, process " + std::to_string(agent);
  if (reaped && WIFSIGNALED(how))
    why += ", was killed by signal " + std::to_string(WTERMSIG(how));
  else if (reaped && WIFEXITED(how))
    why += ", ended with exit code " + std::to_string(WEXITSTATUS(how));
  else
    why += ", ended";
  if (before.pid == agent) why += " while it was " + doing(before);
  return {core::errc::io_error, why + quoted_log(log_of(of, record.name))};
}

}  // namespace

bool wait_for_agent(const scope& of, const std::string& compute, pid_t agent, std::chrono::milliseconds limit) {
  constexpr std::chrono::milliseconds look_interval{5};
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (agent_of(of, compute) == agent && !host::wait_for_end(agent, look_interval))
    if (std::chrono::steady_clock::now() > deadline) return false;
  return true;
}

std::optional<pid_t> agent_of(const scope& of, const std::string& compute) {
  return directory_lock::holder(directory_of(of, compute));
}

bool has_agent_status(const scope& of, const std::string& compute) {
  // The file of one that was killed stays until the next one writes its own.
  const auto agent = agent_of(of, compute);
  const auto status = host::load_status(directory_of(of, compute));
  return status && (!agent || *agent <= 0 || status->pid == *agent);
}

agent_status status_of(const scope& of, const compute_record& record) { return status_of(of, record, won_terms(of)); }

agent_status status_of(const scope& of, const compute_record& record, const won_terms& terms) {
  // Asked before the file is read: what it wrote last is there when it is gone.
  const auto agent = agent_of(of, record.name);
  auto read = host::load_status(directory_of(of, record.name));
  agent_status status = read ? *std::move(read) : agent_status{};
  if (agent && *agent > 0 && status.pid != *agent) {
    status = {};
    status.pid = *agent;
    status.detail = "its agent is starting";
  }
  // Of a Postgres that has ended with it.
  if (!agent) {
    status.lag_as_of = {};
    status.control_port = 0;
  }
  host::forget_old_lag(status, core::system_clock().now());
  const bool writes = status.state == agent_state::running || status.state == agent_state::stopping;
  if (agent && writes && record.mode == host::compute_mode::branch)
    if (const auto later = terms.later(record.timeline_id, status.term)) {
      status.state = agent_state::superseded;
      status.detail = "another compute has taken over the branch, in term " + std::to_string(*later);
    }
  if (agent || is_final(status.state)) return status;
  status.state = agent_state::failed;
  status.detail = "its agent ended unexpectedly; see " + log_of(of, record.name);
  if (record.pages == host::page_mode::fuse && page_files::fuse_mount_device(record.data_directory))
    status.detail += "; its data directory is still mounted: strata compute stop " + record.name + " unmounts it";
  return status;
}

agent_status start_agent(const scope& of, const compute_record& record) {
  const host::directory_watch watch(directory_of(of, record.name));
  const pid_t pid = need(launch(of, record.name), "can't start the compute's agent", "");
  progress line(*of.report);
  start_progress advance(std::chrono::steady_clock::now());
  agent_status before;
  for (;;) {
    const bool ended = watch.wait_or_end(pid);
    auto read = host::load_status(directory_of(of, record.name));
    std::optional<agent_status> status;
    if (read && read->pid == pid) status = *std::move(read);
    if (status && status->state == agent_state::running) return *status;
    const auto now = std::chrono::steady_clock::now();
    advance.look(status, now);
    std::optional<failed_start> failed;
    if (status && is_final(status->state))
      failed = of_final(*status, before);
    else if (ended)
      failed = of_ended(of, record, pid, status.value_or(before));
    else if (advance.is_stuck(now))
      failed = {core::errc::timeout, status ? "it was " + doing(*status) : "its agent does not report"};
    if (failed) {
      line.end();
      give_up(of, record, *failed);
    }
    if (!status) continue;
    show(line, *status);
    before = *std::move(status);
  }
}

void stop_agent(const scope& of, const compute_record& record, std::chrono::milliseconds limit) {
  const auto agent = agent_of(of, record.name);
  if (!agent || *agent <= 0) return;
  progress line(*of.report);
  if (record.mode == host::compute_mode::branch) line.show("stopping " + record.name, "waiting for acknowledgements");
  // Without its record nobody knows where its Postgres is.
  const auto [ended, is_cut_short] = end_agent(of, record, *agent, limit, end_limit, record.branch.empty());
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
