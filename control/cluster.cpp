#include "control/cluster.hpp"

#include <nlohmann/json.hpp>

#include "api/cluster_json.hpp"
#include "config/time_text.hpp"
#include "control/safekeeper_observer.hpp"
#include "control/server_file.hpp"

namespace strata::control {
namespace {

/// Longer than the server waits for safekeepers and for its own tenants.
constexpr std::chrono::seconds patience{60};

core::result<consensus::cluster_view> ask_server(const server_file& server) {
  STRATA_ASSIGN(const auto answer, api::api_client(server.http, patience).get("/v1/cluster"));
  return api::parse_cluster_view(answer);
}

}  // namespace

consensus::cluster_view look_at_cluster(const scope& of) {
  if (directory_lock::holder(of.directory)) {
    if (const auto server = read_server_file(of.directory)) {
      auto view = ask_server(*server);
      if (view) return *std::move(view);
      of.report->warn("the server did not report its safekeepers: " + view.error().detail);
    }
  }
  return consensus::view_cluster(observe_safekeepers(of.directory), {}, {});
}

std::string state_text(const consensus::safekeeper_status& of) {
  std::string text(consensus::to_string(of.state));
  if (of.up()) return of.disk_full.value_or(false) ? text + ", disk full" : text;
  if (of.state == consensus::safekeeper_state::unreachable && of.since)
    text += " since " + config::local_text(std::chrono::floor<std::chrono::seconds>(*of.since));
  return text + ": " + of.last_error;
}

}  // namespace strata::control
