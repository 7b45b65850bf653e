#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/net/client_socket.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/protocol.hpp"
#include "journal/wal_archive.hpp"

namespace strata::actors::safekeeper {

struct wal_sender_options {
  runtime::actor_label label;
  std::shared_ptr<net::client_socket> socket;  ///< after CopyBothResponse
  wal_timeline_opened timeline;
  std::shared_ptr<const journal::wal_archive> backup;  ///< null: there is none
  core::lsn from;
  std::optional<consensus::term> term;  ///< flushed WAL, as long as it is the acceptor's term; else committed WAL
  bool is_pageserver = false;           ///< its status replies have its durable position
  stream_starter starter;
};

/// START_REPLICATION: streams WAL to one client (docs/formats/wire.md). Reads the next piece (at most 128 KiB)
/// when the client has accepted the previous one. Sends something at least once a second.
runtime::socket_owner spawn_wal_sender(caf::actor_system& system, wal_sender_options options);

}  // namespace strata::actors::safekeeper
