#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "consensus/cluster_view.hpp"
#include "control/branches.hpp"
#include "host/agent_status.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// A server with all that belongs to it, as it is now.
struct server_status {
  nlohmann::json process;  ///< GET /v1/status
  std::vector<branch_entry> branches;
  std::vector<source_entry> broken;  ///< sources that can't be used
  std::vector<host::compute_record> computes;
  std::size_t computes_running = 0;
  consensus::cluster_view cluster;
  /// That run.
  struct standby {
    host::compute_record record;
    host::agent_status status;
  };
  std::vector<standby> standbys;
  nlohmann::json expired;  ///< the last branches that expired: source, branch, expired_at
};
/// The server to look at. If none runs the failure names the computes that run without it.
server_link server_to_look_at(const scope& of);
server_status look_at_server(const scope& of, const server_link& server);
/// For programs.
nlohmann::json status_json(const server_link& server, const server_status& of);

/// What the server still has to do on safekeepers, one line each: "create shop/dev on safekeeper 3 (12 s; safekeeper 3
/// is not running)". Operations that are younger than five seconds are left out.
std::vector<std::string> pending_operations(const nlohmann::json& process, const std::vector<branch_entry>& branches);

}  // namespace strata::control
