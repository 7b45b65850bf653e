#pragma once

#include <caf/actor_system.hpp>

#include "actors/runtime/actor_registry.hpp"
#include "messages/introspection.hpp"

namespace strata::actors::runtime {

struct introspector_options {
  actor_label label;
};
/// Answers from the process's registry without asking an actor, so a busy or stuck one is shown, too.
messages::introspector_actor spawn_introspector(caf::actor_system& system, introspector_options options);

}  // namespace strata::actors::runtime
