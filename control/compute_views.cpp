#include "control/compute_views.hpp"

#include "config/quantity.hpp"
#include "config/time_text.hpp"
#include "control/agents.hpp"
#include "control/branch_writers.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "host/lasting_files.hpp"

namespace strata::control {

using host::compute_mode;
using host::compute_record;
using nlohmann::json;

namespace {

/// Of one whose record is damaged what is below the server's directory can be stopped and removed.
compute_record to_stop(const scope& of, const std::string& name) {
  const host::registry computes(of.directory);
  for (const auto& each : need(computes.list(), "can't list the computes").damaged)
    if (each.name == name) {
      of.report->warn(each.why.detail);
      return computes.remains_of(name);
    }
  auto found = computes.find(name);
  // Also while a command is at work on it.
  if (!found && agent_of(of, name)) return computes.remains_of(name);
  return need(std::move(found), "can't stop " + name, "strata compute list");
}

/// Of a compute that writes its branch.
void add_quorum(json& made, const host::agent_status& status) {
  made["lsn"] = core::to_string(status.start_lsn);
  made["term"] = status.term;
  made["generation"] = status.generation;
  made["written_lsn"] = core::to_string(status.written_lsn);
  made["commit_lsn"] = core::to_string(status.commit_lsn);
  made["applied_lsn"] = core::to_string(status.applied_lsn);
  made["has_quorum"] = status.has_quorum;
  made["safekeepers"] = json::array();
  for (const auto& each : status.safekeepers)
    made["safekeepers"].push_back({{"id", each.id},
                                   {"address", each.address},
                                   {"state", each.state},
                                   {"flush_lsn", core::to_string(each.flush_lsn)}});
}

}  // namespace

json compute_json(const scope& of, const compute_record& record) { return compute_json(of, record, won_terms(of)); }

json compute_json(const scope& of, const compute_record& record, const won_terms& terms) {
  json made = {{"name", record.name},
               {"source", record.tenant},
               {"branch", record.branch},
               {"tenant_id", core::to_string(record.tenant_id)},
               {"timeline_id", core::to_string(record.timeline_id)},
               {"lsn", core::to_string(record.at)},
               {"mode", host::to_string(record.mode)},
               {"pages", host::to_string(record.pages)},
               {"page_timeout_ms", record.page_timeout.count()},
               {"state", state_of(of, record, terms)},
               {"pg_version", record.pg_major},
               {"port", record.port},
               {"uri", socket_uri(record)},
               {"tcp_uri", tcp_uri(record)},
               {"data_directory", record.data_directory},
               {"log_file", record.log_file},
               {"as_of", config::utc_text(record.as_of)},
               {"armed", record.armed},
               {"settings", record.settings},
               {"started", record.started == core::wall_time() ? json() : json(config::utc_text(record.started))}};
  if (!has_agent(record)) return made;
  const auto status = status_of(of, record, terms);
  made["detail"] = status.detail;
  made["notes"] = status.notes;
  made["incarnations"] = status.incarnations;
  made["control_port"] = status.control_port > 0 ? json(status.control_port) : json();
  for (std::size_t step = 0; step < status.steps.size(); ++step)
    made["steps_us"][host::to_string(static_cast<host::agent_state>(step))] = status.steps[step].count();
  if (status.pages.total > 0)
    made["page_counts"] = {{"total", status.pages.total},
                           {"missing", status.pages.missing},
                           {"complete", status.pages.complete},
                           {"waits", status.pages.waits},
                           {"fillers", status.pages.fillers},
                           {"filler_pid", status.pages.filler},
                           {"filler_state", status.pages.filler_state}};
  if (status.pages.total > 0)
    for (const auto& [name, member] : host::fill_work_members)
      made["page_counts"]["work"][name] = status.pages.work.*member;
  if (status.standby) made["standby"] = host::to_json(*status.standby);
  if (const auto agent = agent_of(of, record.name)) made["agent_pid"] = *agent;
  made["agent_log"] = host::registry(of.directory).directory_of(record.name) + "/agent.log";
  if (record.mode == compute_mode::branch) add_quorum(made, status);
  return made;
}

std::string standby_text(const compute_record& record, const host::agent_status& status) {
  return "of " + record.tenant + "/" + record.branch + ", lag " + lag_text(status) +
         (status.detail.empty() ? "" : "; " + status.detail);
}

std::string pages_text(const compute_record& record, const host::agent_status& status) {
  std::string text = host::to_string(record.pages);
  if (status.pages.complete) return text + ", complete";
  if (status.pages.missing == 0) return text;
  const auto present = status.pages.total - status.pages.missing;
  text += " " + std::to_string(present * 100 / status.pages.total) + " %";
  return record.fill ? text : text + ", on demand";
}

std::vector<std::string> start_notes(const compute_record& record) {
  std::vector<std::string> made;
  if (record.mode == compute_mode::branch)
    made.push_back("commits are stored in branch " + record.branch + " by its safekeepers");
  else if (record.mode == compute_mode::standby)
    made.emplace_back("standby: it shows the branch as it is now and takes no writes; strata compute list has its lag");
  else if (record.mode == compute_mode::read_only)
    made.push_back("read-only: it shows the branch as of " + core::to_string(record.at) +
                   "; --pages copy makes a copy that takes writes");
  else
    made.emplace_back("copy: its changes stay in the copy, the branch does not change");
  made.emplace_back(record.armed ? "armed: its subscriptions, jobs and foreign tables act on other servers"
                                 : "no logical replication workers and no outgoing connections (--armed allows them)");
  if (record.pages != host::page_mode::copy)
    made.push_back(std::string("pages are fetched when first touched (") + host::to_string(record.pages) + ")");
  return made;
}

std::string lag_text(const host::agent_status& status) {
  if (!status.standby) return "-";
  if (!status.standby->lag_bytes) return "unknown";
  std::string text = config::size_text(*status.standby->lag_bytes);
  if (status.standby->lag && *status.standby->lag_bytes > 0) text += ", " + config::duration_text(*status.standby->lag);
  return text;
}

json damaged_json(const scope& of, const host::damaged_compute& each) {
  json made = {{"name", each.name},
               {"state", "damaged"},
               {"directory", host::registry(of.directory).directory_of(each.name)},
               {"error", each.why.detail}};
  if (const auto agent = agent_of(of, each.name)) made["agent_pid"] = *agent;
  return made;
}

std::string next_for_damaged(const scope& of, const std::string& name) {
  for (const auto& writer : living_writers(of))
    if (writer.name == name)
      return "its agent, process " + std::to_string(writer.agent) + ", is running and writes " +
             (writer.branch.empty() ? "a branch" : writer.branch) + "; strata compute stop " + name + " stops it";
  return "strata compute stop " + name + " --remove";
}

stopped_compute stop_named(const scope& of, const std::string& name, bool remove, std::chrono::milliseconds limit) {
  auto record = to_stop(of, name);
  const auto lock = host::start_lock::take(host::registry(of.directory).directory_of(name));
  if (!lock && remove) throw failure(lock.error(), "can't remove " + name, "stop that command; strata compute list");
  const bool was_running = is_busy(of, record);
  // A copy keeps its directory, and its slots with it.
  auto slots = has_agent(record) && was_running ? host::logical_slots_in(host::files_of(record.data_directory))
                                                : std::vector<std::string>();
  stop_compute(of, record, remove, limit);
  return {std::move(record), was_running, std::move(slots)};
}

}  // namespace strata::control
