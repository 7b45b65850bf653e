#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <caf/actor_control_block.hpp>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"
#include "messages/states.hpp"
#include "messages/wal_membership.hpp"

namespace strata::storage {
class timeline_store;
class write_batch;
}  // namespace strata::storage

namespace strata::messages {

/// WAL of a branch that none of its safekeepers has any more, and that the timeline does not have.
struct wal_gap {
  core::lsn from;  ///< the last record that is here
  core::lsn to;    ///< where the oldest WAL of a safekeeper begins; 0: not known
  bool operator==(const wal_gap&) const = default;
};

/// Where the connection to the source, or to the safekeepers of a branch, stands.
struct source_status {
  enum class phase {
    connecting,
    backing_up,
    catching_up,
    streaming,
    waiting_to_retry,
    failed,
    idle  ///< there was no more WAL; goes on when there is
  } now = phase::connecting;
  std::string conninfo;  ///< without its password; or which safekeeper it is
  std::string user;      ///< as whom the source is followed; empty until it was reached
  std::string database;  ///< that the connection string names; empty: none
  std::string slot;
  core::lsn received;              ///< end of the last WAL byte that came in
  core::lsn source_head;           ///< the source's own position, as it last said
  std::uint64_t backup_bytes = 0;  ///< of the base backup, so far
  std::uint64_t backup_bytes_expected = 0;
  std::string last_error;  ///< empty when all is well
  std::uint64_t reconnects = 0;
  core::lsn handed_over;  ///< all records up to here were handed to the timeline
  /// All that was committed at the source by then, by its clock, was handed over. Not of safekeepers.
  std::optional<core::wall_time> known_until;
  std::optional<core::monotonic_time> last_message;      ///< when it last told how far its WAL goes
  std::optional<std::chrono::microseconds> clock_ahead;  ///< the source's clock minus this machine's
  std::optional<wal_gap> gap;                            ///< nobody can go on with the branch. Only of safekeepers
};

/// How far a timeline is behind its source.
struct source_lag {
  std::optional<std::uint64_t> bytes;                      ///< absent: not known
  std::optional<std::chrono::milliseconds> since_message;  ///< absent: there was none yet
};

/// A resource manager of an extension whose records the timeline holds: pages that they changed can't be read.
struct custom_manager {
  std::uint8_t id = 0;
  core::lsn since;  ///< end of the first record
};

/// What a timeline says of itself. Sizes are bytes.
struct timeline_info {
  core::tenant_id tenant;
  core::timeline_id id;
  std::string name;
  timeline_state state = timeline_state::active;
  std::string reason;  ///< why it is broken; empty in every other state
  std::optional<core::timeline_id> ancestor;
  core::lsn ancestor_lsn;
  core::lsn last_record_lsn;
  core::lsn previous_record_lsn;
  core::lsn disk_consistent_lsn;
  core::lsn readable_from;  ///< the first LSN that can be read or branched at: backup end, branch point or gc cutoff
  core::lsn gc_cutoff;
  int pg_major = 0;
  std::uint64_t layer_bytes = 0;
  std::uint64_t layer_count = 0;
  std::uint64_t l0_layer_count = 0;
  std::uint64_t memory_bytes = 0;
  core::wall_time created{};
  std::optional<core::wall_time> last_commit;
  std::optional<source_status> source;
  source_lag lag;                              ///< of `source`
  std::optional<core::wall_time> known_until;  ///< everything that was committed by then is in; absent: not known
  std::optional<consensus::configuration> safekeepers;  ///< `source` is about these, then
  std::string last_error;  ///< what background work last failed at and keeps retrying; empty when all is well
  std::vector<custom_manager> custom_managers;
};

/// Answered when last_record_lsn has reached `at`; errc::timeout (with how far it is, and the receiver's state) after
/// the deadline, errc::out_of_range at once when nothing can bring it there (a branch without
/// safekeepers).
struct wait_lsn {
  core::lsn at;
  std::chrono::milliseconds timeout;
};
struct lsn_reached {
  core::lsn last_record_lsn;
};

/// From the one wal_receiver. The answer is credit for the next batch: the batch is visible to readers, not yet
/// durable.
struct ingest_batch {
  std::shared_ptr<storage::write_batch> batch;
};
struct batch_ingested {
  core::lsn last_record_lsn;
  core::lsn disk_consistent_lsn;  ///< the source may forget WAL below it
};

/// Freeze and flush; answered once everything up to the last_record_lsn of the time of asking is in durable layer
/// files.
struct checkpoint_timeline {};
struct timeline_checkpointed {
  core::lsn disk_consistent_lsn;
};

struct compact_timeline {
  bool force = true;
};
struct timeline_compacted {
  std::uint64_t layers_in = 0, layers_out = 0, images_out = 0, bytes_in = 0, bytes_out = 0;
};

/// With horizon set: that many WAL bytes instead of the tenant's options, and no time limit.
struct collect_garbage {
  std::optional<std::uint64_t> horizon_bytes;
};
struct garbage_collected {
  std::uint64_t removed = 0, removed_bytes = 0;
  core::lsn cutoff;
};

/// How long the head of a branch is waited for on behalf of a client that says no time of its own.
inline constexpr std::chrono::milliseconds head_wait{10'000};

/// Finds a point of the history and keeps it readable, in one step: the head, an LSN, or the moment before the first
/// commit after a time. A time, or an LSN that the source is known to have written, is waited for, at most for
/// `timeout`. errc::out_of_range when the point is not in the history. The head of a branch with safekeepers has all
/// that their quorum may have acknowledged when the request came; errc::unavailable when that has not arrived within
/// `timeout`, or, after 2 s at least, when too few safekeepers answer to know it.
struct resolve_point {
  std::variant<std::monostate, core::lsn, core::wall_time> at;  ///< nothing: the head
  std::chrono::milliseconds timeout{0};
};
struct point_resolved {
  core::lsn at;                                ///< 0: not known yet, see `why`
  core::wall_time kept_until{};                ///< by a lease (lease_lsn)
  std::optional<core::wall_time> known_until;  ///< everything that was committed by then is in
  std::string why;                             ///< why the state at that time is not known
};

/// Keeps `at` readable as long as `holder` lives. errc::out_of_range when it is not readable now.
struct hold_lsn {
  core::lsn at;
  caf::strong_actor_ptr holder;
};

/// Keeps `at` readable until the time in the answer. errc::out_of_range when it is not readable now.
struct lease_lsn {
  core::lsn at;
};
struct lsn_leased {
  core::wall_time valid_until;
};

struct get_timeline_info {};

/// Takes back that the source is refused (docs/decisions/0035), durable on reply: it is connected to, and compared with
/// what was received, again. errc::invalid_argument when the timeline follows no source.
struct resume_source {
  core::tenant_id tenant;
  core::timeline_id timeline;
};

/// Registers a child's branch point before the child exists, so that collection keeps it. errc::out_of_range, with the
/// window, when `at` cannot be read any more or not yet. Not durable: the child's record is.
struct add_branch_point {
  core::timeline_id child;
  core::lsn at;
};
struct remove_branch_point {
  core::timeline_id child;
};

/// One timeline: its LSN frontier, open layer, flusher, compactor, collector and, for what follows a source or
/// safekeepers, its wal_receiver. Reads do not pass through it: they use the timeline_store, which is safe from any
/// thread.
using timeline_actor =
    actor_interface<answers<wait_lsn, lsn_reached>, answers<ingest_batch, batch_ingested>,
                    answers<checkpoint_timeline, timeline_checkpointed>, answers<compact_timeline, timeline_compacted>,
                    answers<collect_garbage, garbage_collected>, answers<lease_lsn, lsn_leased>,
                    answers<resolve_point, point_resolved>, answers<hold_lsn, done>,
                    answers<get_timeline_info, timeline_info>, answers<add_branch_point, done>,
                    accepts<remove_branch_point>, accepts<source_status>,
                    answers<assign_safekeepers, timeline_safekeepers>, answers<get_safekeepers, timeline_safekeepers>,
                    answers<change_safekeepers, timeline_safekeepers>, answers<resume_source, done>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::source_status)
STRATA_LOCAL_MESSAGE(strata::messages::timeline_info)
STRATA_LOCAL_MESSAGE(strata::messages::wait_lsn)
STRATA_LOCAL_MESSAGE(strata::messages::lsn_reached)
STRATA_LOCAL_MESSAGE(strata::messages::ingest_batch)
STRATA_LOCAL_MESSAGE(strata::messages::batch_ingested)
STRATA_LOCAL_MESSAGE(strata::messages::checkpoint_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::timeline_checkpointed)
STRATA_LOCAL_MESSAGE(strata::messages::compact_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::timeline_compacted)
STRATA_LOCAL_MESSAGE(strata::messages::collect_garbage)
STRATA_LOCAL_MESSAGE(strata::messages::garbage_collected)
STRATA_LOCAL_MESSAGE(strata::messages::lease_lsn)
STRATA_LOCAL_MESSAGE(strata::messages::lsn_leased)
STRATA_LOCAL_MESSAGE(strata::messages::resolve_point)
STRATA_LOCAL_MESSAGE(strata::messages::point_resolved)
STRATA_LOCAL_MESSAGE(strata::messages::hold_lsn)
STRATA_LOCAL_MESSAGE(strata::messages::get_timeline_info)
STRATA_LOCAL_MESSAGE(strata::messages::resume_source)
STRATA_LOCAL_MESSAGE(strata::messages::add_branch_point)
STRATA_LOCAL_MESSAGE(strata::messages::remove_branch_point)
