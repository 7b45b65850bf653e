#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "actors/broker/node_identity.hpp"
#include "actors/broker/protocol.hpp"

namespace strata::actors::broker {

/// A peer that is silent for so long is lost: the handles of its actors are dead. So is a connection without a
/// handshake.
inline constexpr std::chrono::seconds silence_max{5};

/// For process_options::configure: CAF's network layer with TLS in both directions, for this protocol. There is no
/// network without an identity: CAF 0.17 allocates the size in the header of an unauthenticated peer, up to 4 GiB.
std::function<void(caf::actor_system_config&)> network_of(const node_identity& identity);

/// Lets links connect; 0: any free port. Returns the port. Blocks its thread (no actor's) for the call.
/// errc::conflict: the port is not available. Precondition: the system has network_of().
core::result<std::uint16_t> publish(const broker_actor& broker, const std::string& address, std::uint16_t port);

/// Connects to the broker of another process, and calls back in an actor of its own, once, within `limit`.
/// errc::timeout, errc::unavailable with CAF's error. Precondition: as above.
void connect(caf::actor_system& system, const std::string& host, std::uint16_t port, std::chrono::milliseconds limit,
             std::function<void(core::result<broker_actor>)> then);

}  // namespace strata::actors::broker
