#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <caf/actor_control_block.hpp>

#include "consensus/membership.hpp"
#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"
#include "messages/states.hpp"

namespace strata::messages {

/// WAL of a branch that is missing on all of its safekeepers and in the timeline.
struct wal_gap {
  core::lsn from;  ///< the end of the last record of the timeline
  core::lsn to;    ///< start of the oldest WAL on a safekeeper; 0: unknown
  bool operator==(const wal_gap&) const = default;
};

/// State of the connection to the source, or to the safekeepers of a branch.
struct source_status {
  enum class phase {
    connecting,
    backing_up,
    catching_up,
    streaming,
    waiting_to_retry,
    failed,
    idle  ///< there was no more WAL; resumes when there is
  } now = phase::connecting;
  std::string conninfo;  ///< without its password; or the name of the safekeeper
  std::string user;      ///< role that follows the source; empty until the first connection
  std::string database;  ///< database of the connection string; empty: none
  std::string slot;
  core::lsn received;              ///< end of the received WAL
  core::lsn source_head;           ///< the end of the source's WAL, as last reported
  std::uint64_t backup_bytes = 0;  ///< of the base backup, so far
  std::uint64_t backup_bytes_expected = 0;
  std::string last_error;  ///< empty: none
  std::uint64_t reconnects = 0;
  core::lsn handed_over;  ///< all records up to here were handed to the timeline
  /// All transactions committed at the source up to this time, by its clock, were handed over. Not for safekeepers.
  std::optional<core::wall_time> known_until;
  std::optional<core::monotonic_time> last_message;      ///< when it last reported the end of its WAL
  std::optional<std::chrono::microseconds> clock_ahead;  ///< the source's clock minus this machine's
  std::optional<wal_gap> gap;                            ///< the branch can't advance. Only for safekeepers
};

/// Lag of a timeline behind its source.
struct source_lag {
  std::optional<std::uint64_t> bytes;                      ///< absent: unknown
  std::optional<std::chrono::milliseconds> since_message;  ///< absent: no message yet
};

/// A resource manager of an extension with records in the timeline: pages changed by them can't be read.
struct custom_manager {
  std::uint8_t id = 0;
  core::lsn since;  ///< end of the first record
};

/// State of a timeline. Sizes are in bytes.
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
  wal_from follows = wal_from::nowhere;
  std::optional<source_status> source;
  source_lag lag;                                       ///< of `source`
  std::optional<core::wall_time> known_until;           ///< all commits up to this time are included; absent: unknown
  std::optional<consensus::configuration> safekeepers;  ///< if present, `source` describes the connection to them
  std::string last_error;  ///< last failures of background work, which is retried; empty: none
  std::vector<custom_manager> custom_managers;
  bool deletion_protected = false;
  std::optional<core::wall_time> expires;
  bool logical_wal = false;
};

/// Answered when last_record_lsn has reached `at`. errc::timeout, with the position and the receiver's state, after the
/// deadline. errc::out_of_range at once if `at` can't be reached (a branch without safekeepers).
struct wait_lsn {
  core::lsn at;
  std::chrono::milliseconds timeout;
};
struct lsn_reached {
  core::lsn last_record_lsn;
};

/// Freezes and flushes. Answered when everything up to the last_record_lsn at the time of the request is in durable
/// layer files.
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

/// With `horizon_bytes`: keeps this many bytes of WAL, instead of the tenant's options, without a time limit.
struct collect_garbage {
  std::optional<std::uint64_t> horizon_bytes;
};
struct garbage_collected {
  std::uint64_t removed = 0, removed_bytes = 0;
  core::lsn cutoff;
};

/// Default wait for the head of a branch.
inline constexpr std::chrono::milliseconds head_wait{10'000};

/// Resolves a point of the history and leases it, in one step: the head, an LSN, or the position before the first
/// commit after a time. Waits at most `timeout` for a time, or for an LSN that the source has reported.
/// errc::out_of_range if the point is not in the history. The head of a branch with safekeepers includes all WAL that
/// their quorum may have acknowledged before the request; errc::unavailable if that WAL has not arrived within
/// `timeout`, or, after at least 2 s, if too few safekeepers answer.
struct resolve_point {
  std::variant<std::monostate, core::lsn, core::wall_time> at;  ///< monostate: the head
  std::chrono::milliseconds timeout{0};
};
struct point_resolved {
  core::lsn at;                                ///< 0: unknown yet, see `why`
  core::wall_time kept_until{};                ///< by a lease (lease_lsn)
  std::optional<core::wall_time> known_until;  ///< all commits up to this time are included
  std::string why;                             ///< why the state at that time is unknown
};

/// Keeps `at` readable until `holder` ends. errc::out_of_range if it is not readable now.
struct hold_lsn {
  core::lsn at;
  caf::strong_actor_ptr holder;
};

/// Keeps `at` readable until the time in the reply. errc::out_of_range if it is not readable now.
struct lease_lsn {
  core::lsn at;
};
struct lsn_leased {
  core::wall_time valid_until;
};

struct get_timeline_info {};

/// One timeline, for readers and operators (open_timeline gives the handle): its LSN frontier, open layer, flusher,
/// compactor, collector and, if it follows a source or safekeepers, its wal_receiver. Reads do not pass through it:
/// they use the timeline_store, which may be called from any thread. What only the actors of the pageserver send to it
/// is another interface, in actors/pageserver/protocol.hpp.
using timeline_actor =
    actor_interface<answers<wait_lsn, lsn_reached>, answers<checkpoint_timeline, timeline_checkpointed>,
                    answers<compact_timeline, timeline_compacted>, answers<collect_garbage, garbage_collected>,
                    answers<lease_lsn, lsn_leased>, answers<resolve_point, point_resolved>, answers<hold_lsn, done>,
                    answers<get_timeline_info, timeline_info>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::source_status)
STRATA_LOCAL_MESSAGE(strata::messages::timeline_info)
STRATA_LOCAL_MESSAGE(strata::messages::wait_lsn)
STRATA_LOCAL_MESSAGE(strata::messages::lsn_reached)
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
