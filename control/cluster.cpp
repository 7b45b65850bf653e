#include "control/cluster.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "api/cluster_json.hpp"
#include "config/time_text.hpp"
#include "control/safekeeper_observer.hpp"
#include "control/server_file.hpp"

namespace strata::control {
namespace {

/// Longer than the server waits for safekeepers and for its own tenants.
constexpr std::chrono::seconds patience{30};

/// A server that hangs is found out by a request that it answers from memory; the cluster may take longer.
core::result<consensus::cluster_view> ask_server(const server_file& server) {
  STRATA_TRY(api::api_client(server.http, server_link::read_limit).get("/v1/status"));
  STRATA_ASSIGN(const auto answer, api::api_client(server.http, patience).get("/v1/cluster"));
  return api::parse_cluster_view(answer);
}

}  // namespace

consensus::cluster_view look_at_cluster(const scope& of) {
  if (directory_lock::holder(of.directory)) {
    if (const auto server = read_server_file(of.directory)) {
      auto view = ask_server(*server);
      if (view) return *std::move(view);
      const std::string name = "the server (process " + std::to_string(server->pid) + ")";
      const bool is_hung = view.error().code == core::errc::timeout;
      of.report->warn(name + (is_hung ? " does not answer: " : " did not report its safekeepers: ") +
                      view.error().detail + "; the safekeepers are asked instead; see " + of.directory + "/strata.log");
    }
  }
  auto seen = observe_safekeepers(of.directory);
  if (seen.empty()) static_cast<void>(server_link(of));
  return consensus::view_cluster(seen, {}, {});
}

std::string short_state(const consensus::safekeeper_status& of) {
  return of.up() ? state_text(of) : std::string(consensus::to_string(of.state));
}

std::string short_state(const consensus::quorum_view::row& of) {
  return of.state.substr(0, std::min(of.state.find(": "), of.state.find(" at ")));
}

std::vector<std::string> reasons_of(const std::vector<consensus::safekeeper_status>& all) {
  std::vector<std::string> lines;
  for (const auto& each : all)
    if (!each.up()) lines.push_back("safekeeper " + consensus::to_string(each.id) + " is " + state_text(each));
  return lines;
}

std::vector<std::string> reasons_of(const std::vector<consensus::quorum_view>& all) {
  std::map<std::pair<consensus::node_id, std::string>, std::vector<std::string>> branches;
  for (const auto& quorum : all)
    for (const auto& row : quorum.rows)
      if (short_state(row) != row.state) branches[{row.id, row.state}].push_back(quorum.branch);
  std::vector<std::string> lines;
  for (const auto& [of, names] : branches) {
    std::string line = "safekeeper " + consensus::to_string(of.first) + ": " + names.front();
    if (const auto more = names.size() - 1; more > 0)
      line += " and " + std::to_string(more) + (more == 1 ? " more branch" : " more branches");
    lines.push_back(line + ": " + of.second);
  }
  return lines;
}

std::string state_text(const consensus::safekeeper_status& of) {
  std::string text(consensus::to_string(of.state));
  if (of.up()) return of.disk_full.value_or(false) ? text + ", disk full" : text;
  if (of.state == consensus::safekeeper_state::unreachable && of.since)
    text += " since " + config::local_text(std::chrono::floor<std::chrono::seconds>(*of.since));
  return text + ": " + of.last_error;
}

}  // namespace strata::control
