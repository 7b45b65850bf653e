#pragma once

#include <caf/actor_system.hpp>

#include "actors/runtime/actor_registry.hpp"
#include "messages/introspection.hpp"

namespace strata::actors::runtime {

struct introspector_options {
  actor_label label;
};
/// Answers from the process's registry; it asks no actor, so a busy or stuck one is shown as it is.
messages::introspector_actor spawn_introspector(caf::actor_system& system, introspector_options options);

}  // namespace strata::actors::runtime
