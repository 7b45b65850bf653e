#pragma once

#include <functional>
#include <optional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/compute/wal_proposer.hpp"
#include "consensus/messages.hpp"
#include "core/result.hpp"
#include "host/account.hpp"
#include "host/registry.hpp"

namespace strata::actors::compute {

/// What the branch is, as the server of its pages tells.
struct branch_quorum {
  consensus::configuration members;
  consensus::cluster_identity cluster;
  core::lsn timeline_start;
};

/// The agent's way to the server that has the branch. All calls block and are made on threads that may.
struct branch_server {
  /// Gives the branch safekeepers if it has none.
  std::function<core::result<branch_quorum>()> quorum;
  std::function<core::result<core::lsn>()> last_record_lsn;
  /// Makes `directory`, with the branch as it is at `at`, ready for a start exactly there. `progress`: bytes so far.
  std::function<core::result<void>(core::lsn at, const std::string& directory,
                                   const std::function<void(std::uint64_t)>& progress)>
      restore;
  locate_safekeeper locate;  ///< null: the safekeepers are where the configuration says
};

struct compute_agent_options {
  strata::host::compute_record record;
  std::optional<strata::host::account> run_as;
  std::string status_directory;  ///< gets compute-agent.json
  branch_server server;
  /// How long a transaction that stopped waiting for the quorum may be visible before it is durable.
  std::chrono::milliseconds cancelled_wait_limit{5000};
  std::chrono::milliseconds stop_limit{60'000};
};

/// Keeps one Postgres on one branch alive for as long as its term lasts (compute_lifecycle.hpp) and writes down where
/// it stands. Asked to end it stops Postgres, which waits until everything is acknowledged, and ends; it ends by itself
/// when its work is over (compute-agent.json says why). Postgres never outlives the process of this actor.
proposer_owner_actor spawn_compute_agent(caf::actor_system& system, compute_agent_options options);

}  // namespace strata::actors::compute
