#include "storage/mapping/cluster_counters.hpp"

#include <algorithm>

#include "pg/files/slru.hpp"

namespace strata::storage::mapping {

using pg::files::precedes;

void cluster_counters::advance_next_xid(pg::transaction_id xid) {
  const pg::files::full_transaction_id ahead = xid - static_cast<pg::transaction_id>(now_.next_xid);
  saw_next_xid(now_.next_xid + ahead + 1);
}

void cluster_counters::saw_next_xid(pg::files::full_transaction_id next) {
  pg::files::full_transaction_id rounded = (next + next_xid_step - 1) / next_xid_step * next_xid_step;
  if (static_cast<pg::transaction_id>(rounded) < first_normal_xid) rounded += first_normal_xid;
  if (rounded > now_.next_xid) set(now_.next_xid, rounded);
}

void cluster_counters::set_next_oid(pg::oid value) { set(now_.next_oid, value); }

void cluster_counters::multixact_created(pg::multixact_id id, std::uint32_t offset, std::uint32_t member_count) {
  const pg::multixact_id next = id + 1 == 0 ? 1 : id + 1;
  if (precedes(now_.next_multixact, next)) set(now_.next_multixact, next);
  const std::uint32_t next_offset = offset + member_count;
  if (precedes(now_.next_multixact_offset, next_offset)) set(now_.next_multixact_offset, next_offset);
}

void cluster_counters::oldest_xid_advanced(pg::transaction_id xid, pg::oid database) {
  if (!precedes(now_.oldest_xid, xid)) return;
  set(now_.oldest_xid, xid);
  set(now_.oldest_xid_database, database);
}

void cluster_counters::oldest_multixact_advanced(pg::multixact_id id, pg::oid database) {
  if (!precedes(now_.oldest_multixact, id)) return;
  set(now_.oldest_multixact, id);
  set(now_.oldest_multixact_database, database);
}

void cluster_counters::checkpoint_taken(const pg::records::checkpoint_taken& record) {
  const pg::files::checkpoint& taken = record.counters;
  set(now_.redo, taken.redo);
  set(now_.timeline, taken.timeline);
  set(now_.previous_timeline, taken.previous_timeline);
  set(now_.full_page_writes, taken.full_page_writes);
  set(now_.wal_level, taken.wal_level);
  set(now_.time, taken.time);
  set(now_.newest_commit_timestamp_xid, taken.newest_commit_timestamp_xid);
  oldest_commit_timestamp_advanced(taken.oldest_commit_timestamp_xid);
  set(now_.oldest_active_xid, taken.oldest_active_xid);
  // An online checkpoint may have an older OID than the records before it.
  if (record.shutdown) set(now_.next_oid, taken.next_oid);
  saw_next_xid(taken.next_xid);
  if (precedes(now_.next_multixact, taken.next_multixact)) set(now_.next_multixact, taken.next_multixact);
  if (precedes(now_.next_multixact_offset, taken.next_multixact_offset))
    set(now_.next_multixact_offset, taken.next_multixact_offset);
  oldest_xid_advanced(taken.oldest_xid, taken.oldest_xid_database);
  oldest_multixact_advanced(taken.oldest_multixact, taken.oldest_multixact_database);
}

void cluster_counters::transactions_running(const pg::records::running_transactions& record) {
  set(now_.oldest_active_xid, record.oldest_running);
  // The number before the first of a round is the last of the round before.
  saw_xid(record.next_xid > first_normal_xid ? record.next_xid - 1 : ~pg::transaction_id{0});
}

void cluster_counters::commit_timestamps_started() {
  // The source starts with its next transaction, which is not known exactly here. A few numbers earlier are equivalent:
  // those transactions have no timestamp. The next checkpoint has the exact number.
  const pg::files::full_transaction_id before = now_.next_xid - std::min<std::uint64_t>(now_.next_xid, next_xid_step);
  const auto oldest = std::max(static_cast<pg::transaction_id>(before), first_normal_xid);
  set(now_.oldest_commit_timestamp_xid, oldest);
  set(now_.newest_commit_timestamp_xid, oldest);
}

void cluster_counters::commit_timestamps_stopped() {
  set(now_.oldest_commit_timestamp_xid, pg::transaction_id{0});
  set(now_.newest_commit_timestamp_xid, pg::transaction_id{0});
}

void cluster_counters::oldest_commit_timestamp_advanced(pg::transaction_id xid) {
  // 0 means that there are none; an online checkpoint may be older than the truncation before it.
  const pg::transaction_id now = now_.oldest_commit_timestamp_xid;
  if (xid == 0 || now == 0 || precedes(now, xid)) set(now_.oldest_commit_timestamp_xid, xid);
}

void cluster_counters::timeline_switched(std::uint32_t timeline, std::uint32_t previous) {
  set(now_.timeline, timeline);
  set(now_.previous_timeline, previous);
}

void cluster_counters::full_page_writes_set(bool on) { set(now_.full_page_writes, on); }

pg::files::full_transaction_id with_epoch(pg::transaction_id xid, const pg::files::checkpoint& counters) {
  constexpr pg::files::full_transaction_id round = pg::files::full_transaction_id{1} << 32;
  const pg::files::full_transaction_id candidate = counters.next_xid / round * round + xid;
  return candidate > counters.next_xid && candidate >= round ? candidate - round : candidate;
}

}  // namespace strata::storage::mapping
