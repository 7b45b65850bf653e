#pragma once

#include <caf/actor_system.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/pageserver/quorum/safekeeper_watch.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "consensus/membership.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"
#include "messages/tenant.hpp"
#include "messages/timeline.hpp"
#include "pg/types.hpp"

/// The connections of a timeline to what it follows: a root to its source, a branch to its safekeepers.
namespace strata::actors::pageserver {

// -- the receiver: one per timeline that follows, the only one that appends to it -------------------------------------

/// The import is done: the store's finish_import() has succeeded and is durable. From now on the receiver streams.
struct import_finished {};

/// A timeline as its receiver sees it. The receiver reports every change of its state (source_status), at most a few
/// times a second while only positions move, and keeps no more than two ingest_batch unanswered; the answer is the
/// credit for the next one.
using received_timeline_actor = messages::timeline_actor::extend<messages::accepts<import_finished>>;

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

/// The timeline has flushed: the slot may advance to there.
struct timeline_flushed {
  core::lsn disk_consistent_lsn;
};

/// The timeline's safekeepers are these now; durable.
struct safekeepers_changed {
  consensus::configuration to;
};
/// A person has taken back the refusal of the source; durable. Whether it is the right one is looked at again.
struct source_resumed {};
/// Somebody waits for WAL of the timeline. Of news to a receiver that rests because there was none.
struct wal_wanted {};

/// Works by itself until told to exit (it then ends the stream and closes its connection without waiting for the
/// source). A lost or refused connection is tried again for ever, with backoff; status says why. A source that does not
/// have the history that was followed is refused: that is durable, and it is not connected to until source_resumed.
/// Only two things end a receiver by itself, with an error: an import that broke off after its first value went into
/// the store (its owner empties the store and starts over), and a store or timeline that refuses what it is given.
using wal_receiver_actor =
    watching_actor::extend<messages::accepts<timeline_flushed>, messages::accepts<safekeepers_changed>,
                           messages::accepts<wal_wanted>, messages::accepts<source_resumed>>;

wal_receiver_actor spawn_wal_receiver(caf::actor_system& system, wal_receiver_options options);

// -- short requests to a source ---------------------------------------------------------------------------------------

/// Is the source fit to be followed? Checks version, primary, wal_level and the right to replicate, and makes the
/// physical slot (or takes one that nobody has used yet) so that no WAL is lost between this and the base backup.
/// Errors say what to do, and leave no slot behind.
struct probe_source {
  std::string conninfo;
  std::string slot;
};
struct source_probed {
  pg::major_version major = pg::major_version::v15;
  std::uint64_t system_id = 0;
  std::uint32_t wal_segment_size = pg::default_wal_segment_size;
  bool data_checksums = false;
  bool wal_log_hints = false;
  core::lsn flushed;  ///< the source's position
  bool slot_existed = false;
  std::vector<messages::source_setting> settings;
};

/// Success when there is no such slot (any more), or it is not ours.
struct drop_source_slot {
  std::string conninfo;
  std::string slot;
  /// Set for one that was left: the server must be this one, or errc::conflict; a slot that keeps WAL from a later
  /// place than this is somebody else's, and stays.
  std::uint64_t system_id = 0;
  core::lsn last_told = {};
};

/// Carries out one request, bounded by 15 s (then errc::unavailable), and ends.
using source_request_actor = messages::actor_interface<messages::answers<probe_source, source_probed>,
                                                       messages::answers<drop_source_slot, messages::done>>;

source_request_actor spawn_source_request(caf::actor_system& system, runtime::actor_label label);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_finished)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::timeline_flushed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::safekeepers_changed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::source_resumed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::wal_wanted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::probe_source)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::source_probed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::drop_source_slot)
