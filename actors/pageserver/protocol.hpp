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
#include "messages/wal_membership.hpp"
#include "pg/types.hpp"
#include "storage/records.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/write_batch.hpp"

/// The messages between the actors of the role; messages/tenant.hpp and messages/timeline.hpp are for other roles.
/// Messages of an actor to itself are in its source.
namespace strata::actors::pageserver {

// -- flusher: messages from and to its timeline -----------------------------------------------------------------------

/// A layer is frozen. Between failed attempts the flusher pauses, longer each time; `now` tries at once.
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

// -- compactor: messages from and to its timeline, which also forwards compact_timeline -------------------------------

/// Checks whether there is something to compact.
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

// -- garbage_collector: requests of its timeline ----------------------------------------------------------------------

/// The current cutoff by the tenant's options. errc::conflict when clocks disagree.
struct plan_cutoff {
  std::optional<std::chrono::microseconds> source_ahead;  ///< the source's clock minus this machine's
  std::optional<std::uint64_t> horizon_bytes;             ///< in place of the option
};
struct cutoff_planned {
  core::lsn cutoff;
};
/// Removes what `keep` does not need. The timeline registers no points below keep.cutoff before it asks.
struct collect_layers {
  storage::timeline_store::retention keep;
};
/// Completes the check of the layers that were there when the timeline was opened. Answered when it is complete: what
/// is damaged is in the store.
struct check_layers {};
using garbage_collector_actor =
    messages::actor_interface<messages::answers<plan_cutoff, cutoff_planned>,
                              messages::answers<collect_layers, messages::garbage_collected>,
                              messages::answers<check_layers, messages::done>>;

// -- safekeeper_watch: requests of receivers, messages to them --------------------------------------------------------

/// To a receiver: a safekeeper has published something about its timeline.
struct safekeeper_published {
  protocol::safekeeper_timeline_info info;
};
using watching_actor = messages::actor_interface<messages::accepts<safekeeper_published>>;

/// Subscribes to what is published about one timeline, until the actor ends. One subscriber for each timeline: the
/// last.
struct watch_timeline {
  core::tenant_id tenant;
  core::timeline_id timeline;
  watching_actor actor;
};
using safekeeper_watch_actor = messages::broker_subscriber_actor::extend<messages::accepts<watch_timeline>>;

// -- safekeeper reconciler: requests of timelines and the tenant manager ----------------------------------------------

/// The pending operations in the metadata have changed.
struct operations_changed {};
/// Answered when the creation of the timeline was tried on each of its members, or after 2 seconds: unreachable members
/// get it later.
struct create_wal {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
/// The reconciler as the timelines and the tenant manager see it.
using owned_reconciler_actor =
    messages::safekeeper_reconciler_actor::extend<messages::accepts<operations_changed>,
                                                  messages::answers<create_wal, messages::done>>;

// -- wal_receiver: messages from its timeline -------------------------------------------------------------------------

/// The timeline has flushed: the slot may advance to this LSN.
struct timeline_flushed {
  core::lsn disk_consistent_lsn;
};
/// The timeline has these safekeepers now; durable.
struct safekeepers_changed {
  consensus::configuration to;
};
/// An operator has resumed the source; durable. Whether it is the right one is checked again.
struct source_resumed {};
/// A read waits for WAL of the timeline. An idle receiver connects at once.
struct wal_wanted {};
using wal_receiver_actor =
    watching_actor::extend<messages::accepts<timeline_flushed>, messages::accepts<safekeepers_changed>,
                           messages::accepts<wal_wanted>, messages::accepts<source_resumed>>;

// -- source_request: requests of tenants and the tenant manager -------------------------------------------------------

/// Checks whether the source can be followed: version, primary, wal_level and the right to replicate. Creates the
/// physical slot (or adopts an unused one) so that no WAL is lost between this and the base backup.
/// Errors name the remedy, and leave no slot.
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
/// Success when the slot does not exist (any more), or is not ours.
struct drop_source_slot {
  std::string conninfo;
  std::string slot;
  /// Set for a slot that was left: the server must be this one, or errc::conflict; a slot that keeps WAL from a later
  /// position belongs to another user, and stays.
  std::uint64_t system_id = 0;
  core::lsn last_told = {};
};
using source_request_actor = messages::actor_interface<messages::answers<probe_source, source_probed>,
                                                       messages::answers<drop_source_slot, messages::done>>;

// -- timeline ---------------------------------------------------------------------------------------------------------

/// From its receiver. The reply is credit for the next batch: this batch is visible to readers and not yet durable.
struct ingest_batch {
  std::shared_ptr<storage::write_batch> batch;
};
struct batch_ingested {
  core::lsn last_record_lsn;
  core::lsn disk_consistent_lsn;  ///< the source may remove WAL before it
};
/// From its receiver: the import is done, the store's finish_import() has succeeded and is durable. From now on the
/// receiver streams.
struct import_finished {};

/// Registers a child's branch point before the child exists, so that collection keeps it. errc::out_of_range, with the
/// window, if `at` is outside of it. Not durable: the child's record is.
struct add_branch_point {
  core::timeline_id child;
  core::lsn at;
};
struct remove_branch_point {
  core::timeline_id child;
};

/// From its tenant: the timeline's part of promote_source.
struct end_source {
  std::vector<consensus::member> available;
  bool force = false;
  std::chrono::milliseconds patience{};
};
struct source_ended {
  core::lsn at;
  std::string missing;
};

/// From its tenant: the options changed.
struct options_changed {
  config::tenant_options options;
};

/// A timeline for the actors of the role: its receiver, flusher and compactor, its tenant and the tenant's branch
/// creators. The receiver reports every change of its state (source_status), at most a few times a second while only
/// positions move, and keeps no more than two ingest_batch unanswered; the answer is the credit for the next one. The
/// tenant forwards the requests about safekeepers and the source.
using internal_timeline_actor = messages::actor_interface<
    messages::answers<ingest_batch, batch_ingested>, messages::accepts<messages::source_status>,
    messages::accepts<import_finished>, messages::answers<add_branch_point, messages::done>,
    messages::accepts<remove_branch_point>, messages::accepts<options_changed>,
    messages::answers<messages::assign_safekeepers, messages::timeline_safekeepers>,
    messages::answers<messages::get_safekeepers, messages::timeline_safekeepers>,
    messages::answers<messages::change_safekeepers, messages::timeline_safekeepers>,
    messages::answers<messages::resume_source, messages::done>, messages::answers<end_source, source_ended>>::
    extend_with<flush_listener, compaction_listener, runtime::ticked_actor>;
/// The actor's handle: it has both interfaces.
using owned_timeline_actor = messages::timeline_actor::extend_with<internal_timeline_actor>;

// -- jobs on timelines: one request each, from the tenant -------------------------------------------------------------

/// Answered once the branch's record is durable; after an error nothing of the branch is left.
struct create_branch_record {};
struct branch_record_created {
  storage::timeline_record record;
  core::result<std::shared_ptr<storage::timeline_store>> store;  ///< an error: the branch exists, and is broken
};
using branch_creator_actor = messages::actor_interface<messages::answers<create_branch_record, branch_record_created>>;

/// Answered once the deletion is durable; after an error the timeline stays.
struct mark_deleted {};
/// Of a marked timeline: ends the writer, removes files and record, and answers. A failure to remove something is
/// logged, and repaired by the next start.
struct finish_deletion {};
using timeline_deleter_actor = messages::actor_interface<messages::answers<mark_deleted, messages::done>,
                                                         messages::answers<finish_deletion, messages::done>>;

/// Answered after the pause with an empty store for the next attempt, or with the error.
struct restart_import {};
struct import_restarted {
  std::shared_ptr<storage::timeline_store> store;
};
using import_restarter_actor = messages::actor_interface<messages::answers<restart_import, import_restarted>>;

// -- cluster_importer: one request, from the tenant manager -----------------------------------------------------------

/// Answered when the tenant is durable and can be served; after an error nothing of it is left.
struct import_cluster {};
struct cluster_imported {
  std::uint64_t bytes = 0;
};
using cluster_importer_actor = messages::actor_interface<messages::answers<import_cluster, cluster_imported>>;

// -- tenant -----------------------------------------------------------------------------------------------------------

/// From the tenant manager. Stops all timelines, drops the slots at their reachable sources, and removes everything of
/// the tenant. The tenant ends after the answer.
struct retire_tenant {};
struct tenant_retired {
  messages::tenant_deleted deleted;
  std::vector<slot_drop> drops;  ///< slots that could not be dropped, but can be later
};
using owned_tenant_actor = messages::tenant_actor::extend<
    messages::answers<retire_tenant, tenant_retired>>::extend_with<runtime::ticked_actor>;

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::layer_flushed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_failed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::compaction_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::compaction_health)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::plan_cutoff)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::cutoff_planned)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::collect_layers)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::check_layers)
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
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::ingest_batch)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::batch_ingested)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_finished)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::add_branch_point)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::remove_branch_point)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::end_source)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::source_ended)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::options_changed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::create_branch_record)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::branch_record_created)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::mark_deleted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::finish_deletion)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::restart_import)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_restarted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_cluster)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::cluster_imported)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::retire_tenant)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::tenant_retired)
