#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/pageserver/slot_drops.hpp"
#include "actors/runtime/housekeeping.hpp"
#include "config/options.hpp"
#include "consensus/membership.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "messages/broker.hpp"
#include "messages/pending_operations.hpp"
#include "messages/tenant.hpp"
#include "messages/timeline.hpp"
#include "pg/types.hpp"
#include "storage/records.hpp"
#include "storage/timeline/timeline_store.hpp"

/// What the actors of the role say to each other; messages/tenant.hpp and messages/timeline.hpp are what others may
/// ask. What an actor sends to itself stands in its source.
namespace strata::actors::pageserver {

// -- flusher: told by its timeline, tells it in turn ------------------------------------------------------------------

/// Something is frozen. Between failed attempts the flusher pauses, longer each time; `now` tries at once.
struct flush_due {
  bool now = false;
};
using flusher_actor = messages::actor_interface<messages::accepts<flush_due>>;

/// To the timeline, once per layer and once per failed attempt.
struct layer_flushed {
  core::lsn disk_consistent_lsn;
};
struct flush_failed {
  core::error why;
};
using flush_listener = messages::actor_interface<messages::accepts<layer_flushed>, messages::accepts<flush_failed>>;

// -- compactor: told by its timeline, which also passes on compact_timeline -------------------------------------------

/// Look whether there is something to compact.
struct compaction_due {};
/// compact_timeline runs now, whatever failed before; with force it rewrites even a few L0 layers.
using compactor_actor =
    messages::actor_interface<messages::answers<messages::compact_timeline, messages::timeline_compacted>,
                              messages::accepts<compaction_due>>;

/// To the timeline, when it changes.
struct compaction_health {
  std::string last_error;  ///< empty: the last attempt succeeded
};
using compaction_listener = messages::actor_interface<messages::accepts<compaction_health>>;

// -- garbage_collector: asked by its timeline -------------------------------------------------------------------------

/// The cutoff that the tenant's options ask for now. errc::conflict when clocks disagree.
struct plan_cutoff {
  std::optional<std::chrono::microseconds> source_ahead;  ///< the source's clock minus this machine's
  std::optional<std::uint64_t> horizon_bytes;             ///< in place of the option
};
struct cutoff_planned {
  core::lsn cutoff;
};
/// Removes what `keep` does not need. The timeline has stopped giving out points below keep.cutoff before it asks.
struct collect_layers {
  storage::timeline_store::retention keep;
};
using garbage_collector_actor =
    messages::actor_interface<messages::answers<plan_cutoff, cutoff_planned>,
                              messages::answers<collect_layers, messages::garbage_collected>>;

// -- safekeeper_watch: asked by receivers, tells them -----------------------------------------------------------------

/// To a receiver: a safekeeper has published something about its timeline.
struct safekeeper_published {
  protocol::safekeeper_timeline_info info;
};
using watching_actor = messages::actor_interface<messages::accepts<safekeeper_published>>;

/// Asks for what is published about one timeline, until the actor ends. One for each timeline: the last who asked.
struct watch_timeline {
  core::tenant_id tenant;
  core::timeline_id timeline;
  watching_actor actor;
};
using safekeeper_watch_actor = messages::broker_subscriber_actor::extend<messages::accepts<watch_timeline>>;

// -- safekeeper reconciler: asked by timelines and the tenant manager -------------------------------------------------

/// What is to be done has changed in metadata.
struct operations_changed {};
/// Answered when the timeline was tried to be made on each of its members, or after 2 seconds: the others get it when
/// they are there.
struct create_wal {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
/// The reconciler as the timelines and the tenant manager see it.
using owned_reconciler_actor =
    messages::safekeeper_reconciler_actor::extend<messages::accepts<operations_changed>,
                                                  messages::answers<create_wal, messages::done>>;

// -- wal_receiver: told by its timeline -------------------------------------------------------------------------------

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
/// A read waits for WAL of the timeline. An idle receiver connects again at once.
struct wal_wanted {};
using wal_receiver_actor =
    watching_actor::extend<messages::accepts<timeline_flushed>, messages::accepts<safekeepers_changed>,
                           messages::accepts<wal_wanted>, messages::accepts<source_resumed>>;

// -- source_request: asked by tenants and the tenant manager
// ------------------------------------------------------------

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
using source_request_actor = messages::actor_interface<messages::answers<probe_source, source_probed>,
                                                       messages::answers<drop_source_slot, messages::done>>;

// -- timeline ---------------------------------------------------------------------------------------------------------

/// From its receiver: the import is done, the store's finish_import() has succeeded and is durable. From now on the
/// receiver streams.
struct import_finished {};
/// A timeline as its receiver sees it. The receiver reports every change of its state (source_status), at most a few
/// times a second while only positions move, and keeps no more than two ingest_batch unanswered; the answer is the
/// credit for the next one.
using received_timeline_actor = messages::timeline_actor::extend<messages::accepts<import_finished>>;

/// From its tenant: the options changed.
struct options_changed {
  config::tenant_options options;
};
/// A timeline as its tenant sees it.
using owned_timeline_actor =
    received_timeline_actor::extend<messages::accepts<options_changed>, messages::accepts<runtime::housekeeping_tick>>;

/// A timeline as its flusher and its compactor see it.
using maintained_timeline_actor =
    owned_timeline_actor::extend<messages::accepts<layer_flushed>, messages::accepts<flush_failed>,
                                 messages::accepts<compaction_health>>;

// -- jobs on timelines: each asked by the tenant, once ----------------------------------------------------------------

/// Answered once the branch's record is durable; an error means that nothing of the branch is left.
struct create_branch_record {};
struct branch_record_created {
  storage::timeline_record record;
  core::result<std::shared_ptr<storage::timeline_store>> store;  ///< an error: the branch is there, and broken
};
using branch_creator_actor = messages::actor_interface<messages::answers<create_branch_record, branch_record_created>>;

/// Answered once the deletion is durable; an error means that the timeline stays.
struct mark_deleted {};
/// Of a timeline that is marked: ends the writer, removes files and record, and answers. What can't be removed is
/// logged, and left to the next start.
struct finish_deletion {};
using timeline_deleter_actor = messages::actor_interface<messages::answers<mark_deleted, messages::done>,
                                                         messages::answers<finish_deletion, messages::done>>;

/// Answered after the pause with an empty store for the next attempt, or with why there is none.
struct restart_import {};
struct import_restarted {
  std::shared_ptr<storage::timeline_store> store;
};
using import_restarter_actor = messages::actor_interface<messages::answers<restart_import, import_restarted>>;

// -- tenant -----------------------------------------------------------------------------------------------------------

/// From the tenant manager. Stops all timelines, drops the slots at their sources as far as these can be reached, and
/// removes everything of the tenant. The tenant ends after the answer.
struct retire_tenant {};
struct tenant_retired {
  messages::tenant_deleted deleted;
  std::vector<slot_drop> drops;  ///< of the slots that could not be dropped, those that can be later
};
using owned_tenant_actor = messages::tenant_actor::extend<messages::answers<retire_tenant, tenant_retired>>;

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::layer_flushed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_failed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::compaction_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::compaction_health)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::plan_cutoff)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::cutoff_planned)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::collect_layers)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::safekeeper_published)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::watch_timeline)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::operations_changed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::create_wal)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::timeline_flushed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::safekeepers_changed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::source_resumed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::wal_wanted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::probe_source)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::source_probed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::drop_source_slot)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_finished)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::options_changed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::create_branch_record)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::branch_record_created)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::mark_deleted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::finish_deletion)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::restart_import)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_restarted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::retire_tenant)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::tenant_retired)
