#pragma once

#include <caf/actor_system.hpp>

#include "messages/ask.hpp"

namespace strata::actors::runtime {

using messages::ask_and_wait;

/// Tells an actor to exit, and blocks a thread that is no actor's until it has ended.
void stop_and_wait(caf::actor_system& system, const caf::strong_actor_ptr& actor);
template <class Handle>
void stop_and_wait(caf::actor_system& system, const Handle& actor) {
  stop_and_wait(system, caf::actor_cast<caf::strong_actor_ptr>(actor));
}

}  // namespace strata::actors::runtime
