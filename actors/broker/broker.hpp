#pragma once

#include <caf/actor_system.hpp>

#include "actors/broker/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::broker {

/// Links of the cluster's processes; further ones are refused.
inline constexpr std::size_t sessions_max = 1024;

/// Sends every publication of a link to all subscribed links, the publisher's included. Stores nothing: a new
/// subscriber receives later publications only. The cost of a subscriber is bounded, see fan_out.hpp.
broker_actor spawn_broker(caf::actor_system& system, runtime::actor_label label);

/// Whether a message of a link may be forwarded: errc::invalid_argument for too many timelines or an address that is
/// too long.
core::result<void> check(const std::vector<safekeeper_timeline_info>& timelines);

}  // namespace strata::actors::broker
