#pragma once

#include <cstdint>
#include <utility>

#include "pg/files/checkpoint.hpp"
#include "pg/records/cluster.hpp"
#include "pg/types.hpp"

namespace strata::storage::mapping {

/// The counters with which a server could start at the newest record. The next transaction number runs ahead, in steps
/// of next_xid_step, so that the stored value changes rarely. The newest transaction with a commit timestamp is that of
/// the last checkpoint; start_files.hpp determines which timestamps exist when a server starts. All others are exact.
/// Comparisons are circular.
class cluster_counters {
 public:
  static constexpr std::uint32_t next_xid_step = 1024;

  cluster_counters() = default;
  explicit cluster_counters(const pg::files::checkpoint& at_start) : now_(at_start) { saw_next_xid(now_.next_xid); }

  [[nodiscard]] const pg::files::checkpoint& now() const { return now_; }
  /// True once after each change.
  bool take_changed() { return std::exchange(changed_, false); }

  /// This transaction number is in use.
  void saw_xid(pg::transaction_id xid) {
    if (static_cast<std::int32_t>(xid - static_cast<pg::transaction_id>(now_.next_xid)) >= 0 && xid >= first_normal_xid)
      advance_next_xid(xid);
  }
  void set_next_oid(pg::oid value);
  void multixact_created(pg::multixact_id id, std::uint32_t offset, std::uint32_t member_count);
  void oldest_xid_advanced(pg::transaction_id xid, pg::oid database);
  void oldest_multixact_advanced(pg::multixact_id id, pg::oid database);
  void checkpoint_taken(const pg::records::checkpoint_taken& record);
  void transactions_running(const pg::records::running_transactions& record);
  /// The source tracks commit timestamps from here on.
  void commit_timestamps_started();
  void commit_timestamps_stopped();
  void oldest_commit_timestamp_advanced(pg::transaction_id xid);
  void timeline_switched(std::uint32_t timeline, std::uint32_t previous);
  void full_page_writes_set(bool on);

 private:
  static constexpr pg::transaction_id first_normal_xid = 3;

  void advance_next_xid(pg::transaction_id xid);
  void saw_next_xid(pg::files::full_transaction_id next);
  template <class T>
  void set(T& field, T value) {
    changed_ = changed_ || field != value;
    field = value;
  }

  pg::files::checkpoint now_;
  bool changed_ = false;
};

/// The number with its epoch, for files that are named after it: at most one round before the next number.
pg::files::full_transaction_id with_epoch(pg::transaction_id xid, const pg::files::checkpoint& counters);

}  // namespace strata::storage::mapping
