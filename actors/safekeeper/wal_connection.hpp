#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/net/connection_seat.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/protocol.hpp"
#include "io/sockets.hpp"
#include "journal/wal_archive.hpp"

namespace strata::actors::safekeeper {

struct wal_connection_options {
  runtime::actor_label label;
  io::unique_fd socket;
  std::shared_ptr<net::connection_seat> seat;
  timelines_actor timelines;
  std::shared_ptr<const journal::wal_archive> backup;  ///< null: there is none
  std::string identity;                                ///< pg::wire::safekeeper_identity; empty: not sent
};

/// Serves one client of the WAL service until it disconnects: start-up and simple queries (docs/formats/wire.md). While
/// WAL is pushed or streamed the socket belongs to a proposer_session or wal_sender, its child. A client that has not
/// started up after 10 seconds is closed.
runtime::socket_owner spawn_wal_connection(caf::actor_system& system, wal_connection_options options);

}  // namespace strata::actors::safekeeper
