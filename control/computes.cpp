#include "control/computes.hpp"

#include <algorithm>
#include <set>

#include "control/agents.hpp"
#include "control/failure.hpp"
#include "control/filler.hpp"
#include "core/url.hpp"
#include "host/postgres_process.hpp"
#include "host/start_lock.hpp"

namespace strata::control {

using host::compute_mode;
using host::compute_record;

void stop_compute(const scope& of, const compute_record& record, bool remove, std::chrono::milliseconds limit) {
  if (agent_of(of, record.name)) stop_agent(of, record, limit);
  need(host::stop_postgres(record.data_directory), "can't stop " + record.name, "its log is " + record.log_file);
  // Of an agent and a filler that were killed.
  need(remove_mount(record.data_directory), "can't unmount the data directory of " + record.name, "");
  if (remove) need(remove_files(of, record), "can't remove " + record.name, "");
}

namespace {

bool is_at_work_on(const scope& of, const compute_record& record) {
  return host::start_lock::is_held(host::registry(of.directory).directory_of(record.name));
}

/// An agent whose command was killed before it was done ends, a Postgres on a copy does not.
bool is_interrupted(const scope& of, const compute_record& record) {
  return (record.temporary || !record.ready) && !is_at_work_on(of, record);
}

}  // namespace

std::vector<compute_record> list_computes(const scope& of) {
  auto found = need(host::registry(of.directory).list(), "can't list the computes");
  // A command looks more than once, and tells it once.
  static std::set<std::string> told;
  for (const auto& each : found.damaged) {
    if (!told.insert(each.name).second) continue;
    const bool is_writing = agent_of(of, each.name).has_value();
    of.report->warn("compute " + each.name + " is skipped: " + each.why.detail +
                    (is_writing
                         ? "; its agent is running and writes a branch; strata compute stop " + each.name + " stops it"
                         : "; strata compute stop " + each.name + " --remove removes it"));
  }
  return std::move(found.computes);
}

std::vector<compute_record> computes_of(const scope& of, const std::string& tenant, const std::string& timeline) {
  auto found = list_computes(of);
  std::erase_if(found, [&](const auto& each) {
    return core::to_string(each.tenant_id) != tenant ||
           (!timeline.empty() && core::to_string(each.timeline_id) != timeline);
  });
  return found;
}

std::vector<compute_record> running_computes_of(const scope& of, const branch_entry& branch) {
  auto found = computes_of(of, branch.source.id, branch.id);
  std::erase_if(found, [&](const auto& each) {
    // A Postgres without its agent, or whose command was killed, is about to end.
    const bool ends = (has_agent(each) && !agent_of(of, each.name)) || is_interrupted(of, each);
    return !is_up(each) || each.temporary || ends;
  });
  return found;
}

std::string state_of(const scope& of, const compute_record& record) { return state_of(of, record, won_terms(of)); }

std::string state_of(const scope& of, const compute_record& record, const won_terms& terms) {
  if (is_interrupted(of, record)) return "interrupted";
  const bool has_command = is_at_work_on(of, record);
  if (has_agent(record)) {
    if (has_agent_status(of, record.name)) return host::to_string(status_of(of, record, terms).state);
    return has_command || agent_of(of, record.name) ? "starting" : "stopped";
  }
  if (!record.ready) return "starting";
  return is_up(record) ? "running" : "stopped";
}

std::string compute_line(const scope& of, const compute_record& record) {
  static constexpr const char* roles[] = {"a copy of ", "writes ", "reads ", "a standby of "};
  return "compute " + record.name + ": " + roles[static_cast<std::size_t>(record.mode)] + record.branch + ", " +
         state_of(of, record);
}

void require_no_computes(const std::vector<compute_record>& computes, const scope& of, const std::string& doing,
                         bool force) {
  if (force) return;
  std::string names;
  for (const auto& each : computes) {
    const bool busy = is_busy(of, each);
    // What goes without loss is no reason: the directory of one that wrote the branch, and what was never finished.
    if (!busy && (has_agent(each) || state_of(of, each) == "interrupted")) continue;
    names += (names.empty() ? "" : ", ") + each.name + " (" +
             (busy ? state_of(of, each) : "a stopped copy, with its changes") + ")";
  }
  if (names.empty()) return;
  throw failure(core::errc::conflict, doing, "it has computes: " + names,
                "strata compute stop NAME --remove; or add --force to stop them and remove their data");
}

void remove_computes(const scope& of, const std::vector<compute_record>& computes) {
  for (const auto& each : computes) {
    try {
      // Its branch is gone, and so are those who could acknowledge anything.
      stop_compute(of, each, true, std::chrono::seconds(5));
      of.report->tell("removed compute " + each.name +
                      (each.mode == compute_mode::branch    ? ", the writer of the branch"
                       : each.mode == compute_mode::standby ? ", a standby of the branch"
                       : has_agent(each)                    ? ", a reader of the branch"
                                                            : ", a copy of the branch"));
    } catch (const failure& e) {
      if (!is_busy(of, each) && remove_files(of, each)) continue;
      of.report->failed(e);
    }
  }
}

bool is_up(const compute_record& record) { return host::running_postgres(record.data_directory).has_value(); }

bool is_busy(const scope& of, const compute_record& record) { return is_up(record) || agent_of(of, record.name); }

login login_to(const compute_record& of, const login& wanted) {
  return {wanted.user.empty() ? of.user : wanted.user, wanted.database.empty() ? of.database : wanted.database};
}

std::string socket_uri(const compute_record& of, const login& as) {
  const login to = login_to(of, as);
  return "postgresql://" + core::url_encoded(to.user) + "@/" + core::url_encoded(to.database) +
         "?host=" + core::url_encoded(of.socket_directory, "/") + "&port=" + std::to_string(of.port);
}

std::string tcp_uri(const compute_record& of, const login& as) {
  const login to = login_to(of, as);
  return "postgresql://" + core::url_encoded(to.user) + "@127.0.0.1:" + std::to_string(of.port) + "/" +
         core::url_encoded(to.database);
}

}  // namespace strata::control
