#pragma once

#include <caf/actor_system.hpp>

#include "actors/broker/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::broker {

/// Links of the cluster's processes; more are not let in.
inline constexpr std::size_t sessions_max = 1024;

/// Passes what one link publishes on to all that asked for it, the publisher included. Keeps nothing: whoever connects
/// later hears what is published later. What a subscriber may cost is bounded, see fan_out.hpp.
broker_actor spawn_broker(caf::actor_system& system, runtime::actor_label label);

/// Whether a message of a link may be passed on: errc::invalid_argument for too many timelines or an address that is
/// too long.
core::result<void> check(const std::vector<safekeeper_timeline_info>& timelines);

}  // namespace strata::actors::broker
