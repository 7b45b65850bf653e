#pragma once

#include <caf/actor_system.hpp>
#include <memory>
#include <string>

#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

/// The connections of a timeline to its origin: a root's to its source, a branch's to its safekeepers.
namespace strata::actors::pageserver {

// -- the receiver: one per timeline that follows, the only one that appends to it -------------------------------------

struct wal_receiver_options {
  runtime::actor_label label;
  std::string conninfo;  ///< of the source; empty: the record's safekeepers are followed
  std::string slot;
  /// record().state decides. importing: the store is empty; a base backup is imported into it (import_value and
  /// finish_import, on the background pool), then WAL is streamed from the backup's start. active: WAL is streamed from
  /// last_record_lsn.
  std::shared_ptr<storage::timeline_store> store;
  owned_timeline_actor timeline;
  /// Forwards what the safekeepers publish. null: they are tried in turn.
  safekeeper_watch_actor watch;
};

/// Works by itself until told to exit (it then ends the stream and closes its connection without waiting for the
/// source). A lost or refused connection is retried for ever, with backoff; the status has the reason. A source without
/// the history that was followed is refused: that is durable, and it is not connected to until source_resumed.
/// Only two things end a receiver by itself, with an error: an import that failed after its first value was in
/// the store (its owner empties the store and starts over), and a store or timeline that refuses a batch.
wal_receiver_actor spawn_wal_receiver(caf::actor_system& system, wal_receiver_options options);

}  // namespace strata::actors::pageserver
