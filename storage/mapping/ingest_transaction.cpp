#include "storage/key_space.hpp"
#include "storage/mapping/ingest_state.hpp"

namespace strata::storage::mapping {

namespace {
/// 0 is no origin, and the last number marks changes that must not be replicated further.
constexpr bool is_origin(std::uint16_t number) { return number != 0 && number != 0xFFFF; }
}  // namespace

void wal_ingest::state::end_transaction(const pg::wal::record& record, const pg::records::transaction_end& end,
                                        const change_target& to) {
  xids.clear();
  if (end.xid != 0) xids.push_back(end.xid);
  for (const pg::transaction_id xid : end.subtransactions) xids.push_back(xid);
  for (const pg::transaction_id xid : xids) counters.saw_xid(xid);
  statuses.set_status(end.committed ? transaction_status::committed : transaction_status::aborted, xids, to);
  if (end.committed && track_commit_timestamp) {
    // As on the source: the origin's time if the transaction came from another server that sent it.
    const bool replicated = is_origin(record.origin) && end.origin_time != 0;
    statuses.set_commit_timestamps({replicated ? end.origin_time : end.time, record.origin}, xids, to);
  }
  for (pg::relation_fork dropped : end.dropped)
    for (std::size_t fork = 0; fork < pg::fork_count; ++fork) {
      dropped.fork = static_cast<pg::fork>(fork);
      relations.drop(dropped, to);
    }
  if (end.prepared) to.put_tombstone(two_phase_key(end.xid));
  if (is_origin(record.origin)) advance_origin(record.origin, end.origin_lsn, to);
  to.batch.add_commit_time(end.time, record.end);
}

core::result<void> wal_ingest::state::prepare_transaction(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const pg::records::transaction_prepare prepared,
                pg::records::decode_transaction_prepare(record, major));
  counters.saw_xid(prepared.xid);
  for (const pg::transaction_id xid : prepared.subtransactions) counters.saw_xid(xid);
  to.put(two_phase_key(prepared.xid), prepared.state);
  if (is_origin(record.origin)) advance_origin(record.origin, prepared.origin_lsn, to);
  return {};
}

}  // namespace strata::storage::mapping
