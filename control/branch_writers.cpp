#include "control/branch_writers.hpp"

#include <chrono>
#include <thread>

#include "config/quantity.hpp"
#include "control/agents.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "host/directory_watch.hpp"

namespace strata::control {
namespace {

using host::agent_state;
using host::agent_status;
using host::compute_mode;
using host::compute_record;

constexpr std::chrono::seconds wait_limit{30};
constexpr std::chrono::milliseconds lock_look_interval{5};

/// What the agent that runs now says; not what one before it has left.
std::optional<agent_status> status_by(const std::string& directory, pid_t agent) {
  auto status = host::load_status(directory);
  if (!status || status->pid != agent) return std::nullopt;
  return *std::move(status);
}

std::optional<branch_writer> writer_in(const scope& of, const host::registry& computes, const std::string& name) {
  const auto agent = agent_of(of, name);
  if (!agent) return std::nullopt;
  branch_writer made{.name = name, .directory = computes.directory_of(name), .agent = *agent};
  auto record = computes.load(name);
  if (record && record->mode != compute_mode::branch) return std::nullopt;
  if (record) {
    made.tenant = record->tenant_id;
    made.timeline = record->timeline_id;
    made.branch = record->tenant + "/" + record->branch;
    made.record = *std::move(record);
  } else {
    made.damage = record.error().detail;
  }
  // The agent has read its record when that was whole.
  if (const auto status = status_by(made.directory, *agent); status && status->timeline_id.valid()) {
    made.tenant = status->tenant_id;
    made.timeline = status->timeline_id;
    made.branch = status->branch;
  }
  return made;
}

[[noreturn]] void refuse_second(const scope& of, const compute_record& record, const branch_writer& writer) {
  const std::string branch = record.tenant + "/" + record.branch;
  const std::string ends_it = "a branch has one writer; a second one stops the first";
  if (!writer.record)
    throw failure(core::errc::conflict,
                  "compute " + writer.name + (writer.timeline.valid() ? " is writing " : " may be writing ") +
                      record.branch + ", and its record is damaged",
                  why_in_doubt(writer) + "; " + ends_it,
                  "strata compute stop " + writer.name + "; or strata compute start " + branch + " --take-over");
  throw failure(core::errc::conflict, "compute " + writer.name + " is writing " + record.branch,
                "it is " + state_of(of, *writer.record) + "; " + ends_it,
                "strata psql " + branch + "; or add --take-over");
}

/// "restoring", and how far it is.
std::pair<std::string, std::string> words_for(const std::optional<agent_status>& status) {
  if (!status) return {"starting", ""};
  // Its Postgres has ended, and its agent has not noticed yet.
  if (status->state == agent_state::running) return {"restarting", ""};
  return {host::to_string(status->state), status->state == agent_state::restoring
                                              ? config::size_text(status->restored_bytes) + " so far"
                                              : status->detail};
}

}  // namespace

bool branch_writer::may_write(const core::tenant_id& of, const core::timeline_id& wanted) const {
  return !timeline.valid() || (tenant == of && (!wanted.valid() || timeline == wanted));
}

std::vector<branch_writer> living_writers(const scope& of) {
  const host::registry computes(of.directory);
  std::vector<branch_writer> found;
  for (const auto& name : need(computes.names(), "can't list the computes"))
    if (auto writer = writer_in(of, computes, name)) found.push_back(*std::move(writer));
  return found;
}

std::vector<branch_writer> damaged_writers(const scope& of, const std::string& tenant, const std::string& timeline) {
  constexpr const char* nonsense = "the server's answer is invalid";
  const auto source = need(core::parse_id<core::tenant_id>(tenant), nonsense);
  core::timeline_id branch;
  if (!timeline.empty()) branch = need(core::parse_id<core::timeline_id>(timeline), nonsense);
  auto found = living_writers(of);
  std::erase_if(found, [&](const auto& each) { return each.record || !each.may_write(source, branch); });
  return found;
}

std::string why_in_doubt(const branch_writer& writer) {
  return writer.directory + " has a running agent, process " + std::to_string(writer.agent) + ", " +
         (writer.timeline.valid() ? "which writes " + writer.branch : "and its branch is unknown") + " (" +
         writer.damage + ")";
}

namespace {
void look_for_writers(const scope& of, const compute_record& record, bool take_over) {
  for (const auto& writer : living_writers(of)) {
    // One of its own name is itself, if it has a record.
    if ((writer.record && writer.name == record.name) || !writer.may_write(record.tenant_id, record.timeline_id))
      continue;
    if (!take_over) refuse_second(of, record, writer);
    of.report->warn("compute " + writer.name + (writer.timeline.valid() ? " is writing " : " may be writing ") +
                    record.branch + "; " + (writer.timeline.valid() ? "it" : "then it") + " is stopped as soon as " +
                    record.name + " has taken over");
  }
}
}  // namespace

std::optional<writer_lock> check_take_over(const scope& of, const compute_record& record, bool take_over) {
  if (record.mode != compute_mode::branch) return std::nullopt;
  const auto deadline = std::chrono::steady_clock::now() + wait_limit;
  for (;;) {
    auto lock = take_over ? std::nullopt : writer_lock::take(of, record.timeline_id);
    look_for_writers(of, record, take_over);
    if (take_over || lock) return lock;
    if (std::chrono::steady_clock::now() > deadline)
      throw failure(core::errc::conflict, "can't start " + record.name,
                    "another command is starting a compute of " + record.branch, "strata compute list; then try again");
    std::this_thread::sleep_for(lock_look_interval);
  }
}

std::string start_again_command(const scope& of, const compute_record& record) {
  std::string command = "strata compute start " + record.tenant + "/" + record.branch + " --name " + record.name;
  if (record.mode != compute_mode::branch) return command;
  for (const auto& writer : living_writers(of))
    if (writer.name != record.name && writer.may_write(record.tenant_id, record.timeline_id))
      return command + " --take-over";
  return command;
}

void require_no_damaged_writers(const scope& of, const std::string& tenant, const std::string& timeline,
                                const std::string& doing, bool force) {
  if (force) return;
  for (const auto& writer : damaged_writers(of, tenant, timeline))
    throw failure(core::errc::conflict, doing,
                  "compute " + writer.name + (writer.timeline.valid() ? " is writing it: " : " may be writing it: ") +
                      why_in_doubt(writer),
                  "strata compute stop " + writer.name + " --remove; or add --force to stop it with its branch");
}

bool is_coming_up(const scope& of, const compute_record& record) {
  if (record.mode != compute_mode::branch) return false;
  const auto agent = agent_of(of, record.name);
  if (!agent) return false;
  const auto status = status_by(host::registry(of.directory).directory_of(record.name), *agent);
  if (!status) return true;
  return status->state < agent_state::running || (status->state == agent_state::running && !is_up(record));
}

std::optional<compute_record> wait_until_up(const scope& of, const compute_record& record) {
  const std::string directory = host::registry(of.directory).directory_of(record.name);
  const auto deadline = std::chrono::steady_clock::now() + wait_limit;
  const host::directory_watch watch(directory);
  progress line(*of.report);
  for (;;) {
    const auto agent = agent_of(of, record.name);
    const auto status = agent ? status_by(directory, *agent) : std::nullopt;
    if (!agent || (status && status->state > agent_state::running)) {
      line.end();
      return std::nullopt;
    }
    if (status && status->state == agent_state::running && is_up(record)) {
      line.end();
      return record;
    }
    const auto [doing, detail] = words_for(status);
    if (std::chrono::steady_clock::now() > deadline) {
      line.end();
      throw failure(
          core::errc::unavailable, "compute " + record.name + " is " + doing,
          "its Postgres was not up within " + config::duration_text(wait_limit) + (detail.empty() ? "" : ": " + detail),
          "try again; strata compute list shows what it is waiting for");
    }
    line.show("waiting for compute " + record.name + ", which is " + doing, detail);
    // Its end is noticed by its lock.
    [[maybe_unused]] const bool ended = watch.wait_or_end(*agent);
  }
}

}  // namespace strata::control
