#pragma once

#include <caf/actor_system.hpp>

#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/broker.hpp"

namespace strata::actors::pageserver {

struct safekeeper_watch_options {
  runtime::actor_label label;
  messages::broker_link_actor broker;  ///< null: nothing is published
};
/// Forwards what the safekeepers of all timelines publish to the receivers of those that are here.
safekeeper_watch_actor spawn_safekeeper_watch(caf::actor_system& system, safekeeper_watch_options options);

}  // namespace strata::actors::pageserver
