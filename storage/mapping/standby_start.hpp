#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/checkpoint.hpp"
#include "pg/records/cluster.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

/// A position from which a hot standby can replay WAL and know of each transaction whether it runs.
struct standby_start {
  core::lsn at;  ///< pages and files are those as of this LSN
  /// Exact: a standby takes a transaction below it, which no later record names as running, for ended. (The counters of
  /// ingest run ahead, which is harmless for every other start.)
  pg::files::full_transaction_id next_xid = 0;
  /// No transaction before it runs; 0: none at all does. Then the standby admits clients at once, otherwise after the
  /// next record of running transactions.
  pg::transaction_id oldest_active = 0;

  bool operator==(const standby_start&) const = default;
};

/// The newest such position of a stream of records, as ingest stores it with each change (docs/formats/values.md):
///
/// - the end of a shutdown checkpoint, where by definition nothing runs;
/// - the start of a record of the running transactions, or rather of the records of locks that belong to it. Postgres
///   writes those just before it, and two processes may do so at the same time: the first record of locks after the
///   last but one record of running transactions is early enough.
class standby_start_tracker {
 public:
  /// `newest` without a position, if there was none yet.
  standby_start_tracker() = default;
  static core::result<standby_start_tracker> decode(core::bytes_view from);
  [[nodiscard]] core::bytes encode() const;

  void locks_logged(core::lsn start);
  /// `oldest_before`: the oldest running transaction that was known before this record, 0 if none was; `after`: the
  /// counters with this record.
  void transactions_running(core::lsn start, const pg::records::running_transactions& record,
                            pg::transaction_id oldest_before, const pg::files::checkpoint& after);
  void shut_down(core::lsn end, pg::files::full_transaction_id next_xid);

  [[nodiscard]] std::optional<standby_start> newest() const;
  /// True once after each change.
  bool take_changed();

 private:
  standby_start newest_;
  core::lsn locks_before_last_;  ///< first record of locks between the last two records of running transactions
  core::lsn locks_since_last_;   ///< and after the last one
  bool changed_ = false;
};

/// Where a standby of a timeline begins. `stored`: the newest position, of the timeline or inherited from its ancestor.
/// A branch without one of its own begins at its branch point, where nothing runs: what ran there on the ancestor is
/// aborted on the branch. None: a timeline that follows a source has had no such record since its import.
std::optional<standby_start> choose_standby_start(const std::optional<standby_start>& stored, core::lsn branch_point,
                                                  pg::files::full_transaction_id next_xid_there);

/// The choice as of `head`, which must be readable; the same head gives the same choice. May block. errc::unavailable
/// while there is none, or none that can be read: Postgres writes a record of its running transactions within 15 s of
/// activity, and after each start. errc::unsupported: Postgres 14 and tablespaces, which a server in recovery must be
/// allowed to have in its directory; not all releases of 14 can be told so.
core::result<standby_start> find_standby_start(const timeline_store& store, core::lsn head);

}  // namespace strata::storage::mapping
