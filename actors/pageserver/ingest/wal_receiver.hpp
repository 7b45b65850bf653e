#pragma once

#include <caf/actor_system.hpp>
#include <memory>
#include <string>

#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

/// The connections of a timeline to what it follows: a root to its source, a branch to its safekeepers.
namespace strata::actors::pageserver {

// -- the receiver: one per timeline that follows, the only one that appends to it -------------------------------------

struct wal_receiver_options {
  runtime::actor_label label;
  std::string conninfo;  ///< of the source; empty: the record's safekeepers are followed
  std::string slot;
  /// record().state says what to do. importing: the store is empty; a base backup is taken into it (import_value and
  /// finish_import, on the background pool), then WAL is streamed from the backup's start. active: WAL is streamed from
  /// last_record_lsn.
  std::shared_ptr<storage::timeline_store> store;
  received_timeline_actor timeline;
  /// Tells what the safekeepers publish. null: they are tried in turn.
  safekeeper_watch_actor watch;
};

/// Works by itself until told to exit (it then ends the stream and closes its connection without waiting for the
/// source). A lost or refused connection is tried again for ever, with backoff; status says why. A source that does not
/// have the history that was followed is refused: that is durable, and it is not connected to until source_resumed.
/// Only two things end a receiver by itself, with an error: an import that broke off after its first value went into
/// the store (its owner empties the store and starts over), and a store or timeline that refuses what it is given.
wal_receiver_actor spawn_wal_receiver(caf::actor_system& system, wal_receiver_options options);

}  // namespace strata::actors::pageserver
