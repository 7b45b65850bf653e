#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/compute/protocol.hpp"
#include "host/account.hpp"
#include "host/branch_access.hpp"
#include "host/registry.hpp"

namespace strata::actors::compute {

struct compute_agent_options {
  strata::host::compute_record record;
  std::optional<strata::host::account> run_as;
  std::string status_directory;  ///< gets compute-agent.json
  std::shared_ptr<strata::host::branch_access> branch;
  agent_listener_actor control;  ///< its control endpoints; null: none
  std::uint16_t control_port = 0;
  /// How long a transaction with a cancelled wait may be visible before it is durable.
  std::chrono::milliseconds cancelled_wait_limit{5000};
  std::chrono::milliseconds stop_limit{60'000};
};

/// Runs one Postgres on one branch for as long as its term lasts (compute_lifecycle.hpp) and writes its state to
/// compute-agent.json. Told to exit it stops Postgres, which waits until everything is acknowledged, and ends. It ends
/// by itself when its work is over; compute-agent.json has the reason. Postgres never outlives the process of this
/// actor.
proposer_owner_actor spawn_compute_agent(caf::actor_system& system, compute_agent_options options);

}  // namespace strata::actors::compute
