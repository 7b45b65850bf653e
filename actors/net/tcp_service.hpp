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
  /// Starts the actor that owns a client; it becomes a child of the service, and tells what it does in its seat.
  using seat = std::shared_ptr<connection_seat>;
  std::function<caf::strong_actor_ptr(caf::actor_system&, runtime::actor_label, io::unique_fd, seat)> welcome;
};

/// Answers nothing: it is there to be stopped.
using tcp_service_actor = messages::actor_interface<messages::accepts<messages::done>>;

/// Accepts clients that speak Postgres's protocol. At connections_max, at three quarters of it from one address that is
/// not loopback, and when descriptors run out, a client that has nothing under way is ended in favour of the newcomer
/// (core/admission.hpp); when there is none, the newcomer is told so and closed.
tcp_service_actor spawn_tcp_service(caf::actor_system& system, tcp_service_options options);

}  // namespace strata::actors::net
