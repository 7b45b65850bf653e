#pragma once

#include <caf/actor_system.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "actors/pageserver/ingest/wal_receiver.hpp"
#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/quorum/flushed_positions.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "actors/runtime/housekeeping.hpp"
#include "config/options.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// Connects to a source; tests replace it.
using receiver_factory = std::function<wal_receiver_actor(caf::actor_system&, wal_receiver_options)>;

struct timeline_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
  config::tenant_options tenant;
  /// Of the children that exist: kept from the first collection on.
  std::vector<std::pair<core::timeline_id, core::lsn>> branch_points;
  runtime::housekeeping_actor housekeeping;
  std::shared_ptr<work_permits> permits;
  safekeeper_watch_actor watch;
  owned_reconciler_actor reconciler;  ///< null: the timeline is not created on safekeepers
  receiver_factory receiver = spawn_wal_receiver;
  flushed_question ask_flushed = pageserver::ask_flushed();  ///< tests replace it
};

/// The single writer of one timeline, with its flusher, compactor, collector and, when the record names a source or
/// safekeepers, its receiver. Told to exit it ends the receiver, flushes its memory layers (as far as the disk permits)
/// and ends. It ends by itself only when an import failed: the tenant then starts over.
///
///   importing --import_finished--> active --exit--> stopping
owned_timeline_actor spawn_timeline(caf::actor_system& system, timeline_options options);

}  // namespace strata::actors::pageserver
