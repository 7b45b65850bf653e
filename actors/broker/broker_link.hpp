#pragma once

#include <caf/actor_system.hpp>
#include <variant>

#include "actors/broker/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "core/address.hpp"

namespace strata::actors::broker {

/// Where the broker is: in this process, or at an address.
using broker_place = std::variant<broker_actor, core::address>;

/// Publications in flight to the broker; further ones are lost.
inline constexpr std::size_t publications_on_the_way_max = 16;

/// See messages::broker_link_actor. Never fails permanently: it reconnects for ever, after a pause that doubles from
/// 100 ms to 5 s. With an address, the system must have network_of() (network.hpp).
messages::broker_link_actor spawn_broker_link(caf::actor_system& system, runtime::actor_label label,
                                              broker_place broker);

}  // namespace strata::actors::broker
