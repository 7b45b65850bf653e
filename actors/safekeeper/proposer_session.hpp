#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/net/client_socket.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/protocol.hpp"

namespace strata::actors::safekeeper {

struct proposer_session_options {
  runtime::actor_label label;
  std::shared_ptr<net::client_socket> socket;  ///< after CopyBothResponse
  timelines_actor timelines;
  core::timeline_key key;  ///< from the start-up packet
  bool may_create = false;
};

/// START_WAL_PUSH: forwards a proposer's messages to the acceptor and replies back (docs/formats/wire.md). Holds
/// at most one batch that is being made durable and one that is being collected; then the socket is no longer read.
/// Ends with the connection, on the first message that is refused, and after 60 s without any.
runtime::socket_owner spawn_proposer_session(caf::actor_system& system, proposer_session_options options);

}  // namespace strata::actors::safekeeper
