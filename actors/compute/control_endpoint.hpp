#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/compute/protocol.hpp"
#include "host/account.hpp"
#include "host/registry.hpp"
#include "messages/compute_control.hpp"

namespace strata::actors::compute {

struct control_endpoint_options {
  strata::host::compute_record record;
  std::optional<strata::host::account> run_as;
  std::string server_directory;  ///< its record is there
  /// Set at the first request.
  std::shared_ptr<std::atomic<bool>> asked = std::make_shared<std::atomic<bool>>(false);
};

/// The control endpoints of a compute (messages/compute_control.hpp). Has the agent's state from the agent's reports,
/// and outlives the agent, so that a compute that has failed or ended is still shown. Asks Postgres only while it
/// answers a request itself: for the activity of clients at most every 5 s, in a session that is closed again.
control_endpoint_actor spawn_control_endpoint(caf::actor_system& system, control_endpoint_options options);

}  // namespace strata::actors::compute
