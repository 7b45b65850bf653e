#pragma once

#include <caf/actor_system.hpp>

#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::pageserver {

/// Carries out one request, bounded by 15 s (then errc::unavailable), and ends.
source_request_actor spawn_source_request(caf::actor_system& system, runtime::actor_label label);

}  // namespace strata::actors::pageserver
