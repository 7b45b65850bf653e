#include "control/server_status.hpp"
#include "control/agents.hpp"

#include <algorithm>

#include "api/cluster_json.hpp"
#include "config/quantity.hpp"
#include "config/time_text.hpp"
#include "control/branch_server.hpp"
#include "control/branch_writers.hpp"
#include "control/broken_sources.hpp"
#include "control/cluster.hpp"
#include "control/compute_views.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {

using nlohmann::json;

namespace {

json earliest_json(const server_link& server, const branch_entry& branch) {
  const auto earliest = earliest_time(server, branch);
  return earliest ? json(config::utc_text(*earliest)) : json();
}

json expired_branches(const server_link& server) {
  json found = json::array();
  for (const json& tenant : need(server.get("/v1/tenant"), "can't list the sources"))
    for (json each : tenant.value("expired_branches", json::array()))
      found.push_back({{"source", tenant.value("name", "")},
                       {"branch", each.value("name", "")},
                       {"expired_at", each.value("expired_at", "")}});
  return found;
}

/// `strata source promote` starts it again; who asks the server for the promotion has to.
server_status::standby look_at_standby(const scope& of, const host::compute_record& record, const server_status& seen) {
  server_status::standby made{record, status_of(of, record)};
  const bool follows_source = made.status.standby && made.status.standby->upstream == upstream_source;
  const auto branch = std::ranges::find(seen.branches, core::to_string(record.timeline_id), &branch_entry::id);
  if (follows_source && branch != seen.branches.end() && !branch->follows_source())
    made.status.detail =
        "it follows the source, which was promoted: its rows may be others than those of the branch; "
        "strata compute stop " +
        record.name + "; " + start_again_command(of, record);
  return made;
}

}  // namespace

server_link server_to_look_at(const scope& of) {
  try {
    return server_link(of);
  } catch (const failure& e) {
    std::string names;
    for (const auto& each : list_computes(of))
      if (is_up(each)) names += (names.empty() ? "" : ", ") + each.name + " (" + state_of(of, each) + ")";
    if (names.empty()) throw;
    throw failure(e.code(), e.what(), e.why() + "; computes run without it: " + names, e.next(), e.slug());
  }
}

server_status look_at_server(const scope& of, const server_link& server) {
  server_status seen;
  seen.process = need(server.get("/v1/status"), "the server does not answer", "strata down, then strata up");
  seen.branches = list_branches(server, "");
  seen.broken = list_broken_sources(server, "");
  seen.computes = list_computes(of);
  seen.computes_running = static_cast<std::size_t>(std::ranges::count_if(seen.computes, is_up));
  seen.expired = expired_branches(server);
  seen.cluster = look_at_cluster(of);
  for (const auto& each : seen.computes)
    if (each.mode == host::compute_mode::standby && is_up(each))
      seen.standbys.push_back(look_at_standby(of, each, seen));
  return seen;
}

json status_json(const server_link& server, const server_status& of) {
  json sources = json::array();
  for (const auto& each : of.branches)
    if (each.info.contains("source"))
      sources.push_back({{"name", each.source.name},
                         {"branch", each.name},
                         {"state", each.state_text()},
                         {"earliest_time", earliest_json(server, each)},
                         {"source", each.info["source"]}});
  json own = json::array();
  for (const auto& each : of.branches)
    if (each.is_own_root())
      own.push_back({{"name", each.source.name},
                     {"branch", each.name},
                     {"state", each.state_text()},
                     {"follows", each.text("follows")}});
  json standbys = json::array();
  for (const auto& [record, status] : of.standbys)
    standbys.push_back({{"name", record.name},
                        {"source", record.tenant},
                        {"branch", record.branch},
                        {"state", host::to_string(status.state)},
                        {"detail", status.detail},
                        {"standby", status.standby ? host::to_json(*status.standby) : json()}});
  return {{"server", of.process},
          {"http", server.file().http},
          {"page", server.file().page},
          {"broker", server.file().broker},
          {"quorum", api::to_json(of.cluster)},
          {"branches", of.branches.size()},
          {"expired_branches", of.expired},
          {"sources", sources},
          {"without_source", std::move(own)},
          {"standbys", std::move(standbys)},
          {"broken_sources", broken_json(of.broken)},
          {"computes_running", of.computes_running},
          {"computes", of.computes.size()}};
}

std::vector<std::string> pending_operations(const json& process, const std::vector<branch_entry>& branches) {
  constexpr std::chrono::milliseconds worth_a_line{5000};
  std::vector<std::string> lines;
  for (const json& each : process.value("pending_operations", json::array())) {
    const std::chrono::milliseconds age(each.value("age_ms", std::int64_t{0}));
    if (age < worth_a_line) continue;
    std::string name = "timeline " + each.value("timeline_id", "");
    for (const auto& branch : branches)
      if (branch.id == each.value("timeline_id", "") && branch.source.id == each.value("tenant_id", ""))
        name = branch.source.name + "/" + branch.name;
    const std::string last_error = each.value("last_error", "");
    lines.push_back((each.value("what", "") == "create" ? "create " : "delete the WAL of ") + name + " on safekeeper " +
                    std::to_string(each.value("safekeeper", std::uint64_t{0})) + " (" +
                    std::to_string(std::chrono::duration_cast<std::chrono::seconds>(age).count()) + " s" +
                    (last_error.empty() ? "" : "; " + last_error) + ")");
  }
  return lines;
}

}  // namespace strata::control
