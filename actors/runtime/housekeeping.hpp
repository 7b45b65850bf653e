#pragma once

#include <caf/actor_system.hpp>
#include <chrono>

#include "actors/runtime/actor_registry.hpp"
#include "messages/interface.hpp"

namespace strata::actors::runtime {

/// Time to check deadlines, ages and periods.
struct housekeeping_tick {};
using ticked_actor = messages::actor_interface<messages::accepts<housekeeping_tick>>;

/// Asks for ticks until the actor ends.
struct tick_me {
  ticked_actor actor;
};

/// The one timer of a process for coarse deadlines: ticks all actors that asked for it.
using housekeeping_actor = messages::actor_interface<messages::accepts<tick_me>>;

struct housekeeping_options {
  actor_label label;
  std::chrono::milliseconds interval{250};
};
housekeeping_actor spawn_housekeeping(caf::actor_system& system, housekeeping_options options);

}  // namespace strata::actors::runtime

STRATA_LOCAL_MESSAGE(strata::actors::runtime::housekeeping_tick)
STRATA_LOCAL_MESSAGE(strata::actors::runtime::tick_me)
