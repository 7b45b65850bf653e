#pragma once

#include <caf/actor_system.hpp>

#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/protocol.hpp"

namespace strata::actors::safekeeper {

struct peer_exchange_options {
  runtime::actor_label label;
  consensus::node_id self;
  messages::broker_link_actor broker;  ///< null: there is none
};

/// The one timer of the role, and its link to the broker: once a second the active timelines report, which is published
/// in one message; publications of peers go to the acceptors of their timelines.
peer_exchange_actor spawn_peer_exchange(caf::actor_system& system, peer_exchange_options options);

}  // namespace strata::actors::safekeeper
