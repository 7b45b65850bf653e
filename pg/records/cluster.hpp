#pragma once

#include <cstdint>
#include <variant>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/checkpoint.hpp"
#include "pg/files/control_file.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::records {

/// A checkpoint record; `counters` hold at counters.redo (the record itself for a shutdown).
struct checkpoint_taken {
  bool shutdown = false;
  files::checkpoint counters;
};
/// OIDs below this one may be in use.
struct next_oid {
  oid value = 0;
};
/// Settings that recovery depends on have changed (pg_control holds the same).
struct parameters_changed {
  std::int32_t max_connections = 0;
  std::int32_t max_worker_processes = 0;
  std::int32_t max_wal_senders = 0;
  std::int32_t max_prepared_transactions = 0;
  std::int32_t max_locks_per_transaction = 0;
  files::wal_level wal_level = files::wal_level::minimal;
  bool wal_log_hints = false;
  bool track_commit_timestamp = false;
};
/// The base backup that began at `start` is consistent from this record's end on.
struct backup_ended {
  core::lsn start;
};
/// Crash or archive recovery ended here, with a switch of timelines if the two differ.
struct recovery_ended {
  timestamp time = 0;
  std::uint32_t timeline = 0;
  std::uint32_t previous_timeline = 0;
};
struct full_page_writes_changed {
  bool on = false;
};
/// An operation without effect on a page store: noop, switch, restore point, images (they are in the blocks)...
struct nothing_to_do {};

/// A record of the xlog resource manager.
using xlog_record = std::variant<nothing_to_do, checkpoint_taken, next_oid, parameters_changed, backup_ended,
                                 recovery_ended, full_page_writes_changed>;
core::result<xlog_record> decode_xlog(const wal::record& from, major_version major);

/// The transactions that were running at this record (written every 15 s or so while a server is busy).
struct running_transactions {
  std::int32_t count = 0;
  std::int32_t subtransaction_count = 0;
  bool subtransactions_overflowed = false;
  transaction_id next_xid = 0;
  transaction_id oldest_running = 0;
  transaction_id latest_completed = 0;
};
/// Locks that standbys must take: that of a statement, or all that are held, just before running_transactions.
struct locks_taken {};
/// A record of the standby resource manager; nothing_to_do for invalidations.
using standby_record = std::variant<nothing_to_do, locks_taken, running_transactions>;
core::result<standby_record> decode_standby(const wal::record& from);

/// The progress of a subscriber's origin was set, or the origin was dropped.
struct origin_set {
  std::uint16_t origin = 0;
  core::lsn remote;
  bool force = false;  ///< may decrease
};
struct origin_drop {
  std::uint16_t origin = 0;
};
/// A record of the replication origin resource manager.
using origin_record = std::variant<origin_set, origin_drop>;
core::result<origin_record> decode_origin(const wal::record& from);

}  // namespace strata::pg::records
