#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>

#include "actors/net/connection_seat.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "io/sockets.hpp"
#include "messages/interface.hpp"

namespace strata::actors::net {

struct tcp_service_options {
  runtime::actor_label label;
  io::tcp_listener listener;
  std::uint32_t connections_max = 1024;
  std::string what;    ///< "page service", for people
  std::string metric;  ///< "strata_page_connections": a gauge, and with "_total" a counter
  /// Starts the actor that owns a client: a child of the service, which reports its use in the seat.
  using seat = std::shared_ptr<connection_seat>;
  std::function<caf::strong_actor_ptr(caf::actor_system&, runtime::actor_label, io::unique_fd, seat)> welcome;
};

/// A service without requests: its owner stops it.
using tcp_service_actor = messages::actor_interface<messages::accepts<messages::done>>;

/// Accepts clients of Postgres's protocol. At connections_max, at three quarters of it from one address that is
/// not loopback, and when descriptors run out, an idle client is closed to make room for the new one
/// (core/admission.hpp); if no client is idle, the new one gets an error and is closed.
tcp_service_actor spawn_tcp_service(caf::actor_system& system, tcp_service_options options);

}  // namespace strata::actors::net
