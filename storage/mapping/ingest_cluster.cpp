#include <utility>
#include <variant>

#include "pg/files/slru.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/ingest_state.hpp"

namespace strata::storage::mapping {

using namespace pg::records;

core::result<void> wal_ingest::state::add_xlog(const xlog_record& change, const change_target& to) {
  if (const auto* checkpoint = std::get_if<checkpoint_taken>(&change)) {
    counters.checkpoint_taken(*checkpoint);
    if (checkpoint->shutdown) standby_starts.shut_down(to.at, checkpoint->counters.next_xid);
  } else if (const auto* next = std::get_if<next_oid>(&change)) {
    counters.set_next_oid(next->value);
  } else if (const auto* parameters = std::get_if<parameters_changed>(&change)) {
    return change_parameters(*parameters, to);
  } else if (const auto* ended = std::get_if<recovery_ended>(&change)) {
    counters.timeline_switched(ended->timeline, ended->previous_timeline);
  } else if (const auto* writes = std::get_if<full_page_writes_changed>(&change)) {
    counters.full_page_writes_set(writes->on);
  }
  return {};
}

core::result<void> wal_ingest::state::change_parameters(const parameters_changed& changed, const change_target& to) {
  if (changed.wal_level == pg::files::wal_level::minimal)
    return core::error{core::errc::unsupported,
                       "the source was set to wal_level minimal, so its WAL is incomplete: set "
                       "wal_level to replica and take a new base backup"};
  STRATA_ASSIGN(auto control, pg::files::decode_control_file(control_file));
  control.max_connections = changed.max_connections;
  control.max_worker_processes = changed.max_worker_processes;
  control.max_wal_senders = changed.max_wal_senders;
  control.max_prepared_transactions = changed.max_prepared_transactions;
  control.max_locks_per_transaction = changed.max_locks_per_transaction;
  control.wal_level = changed.wal_level;
  control.wal_log_hints = changed.wal_log_hints;
  control.track_commit_timestamp = changed.track_commit_timestamp;
  STRATA_ASSIGN(control_file, pg::files::encode_control_file(control, control_file));
  to.put(control_file_key(), control_file);
  if (std::exchange(track_commit_timestamp, changed.track_commit_timestamp) != changed.track_commit_timestamp)
    track_commit_timestamps(to);
  if (store->record().wal_log_hints != changed.wal_log_hints) {
    timeline_edit edit;
    edit.wal_log_hints = changed.wal_log_hints;
    STRATA_TRY(store->update(edit));
  }
  return {};
}

void wal_ingest::state::track_commit_timestamps(const change_target& to) {
  // Old timestamps would be taken for those of new transactions.
  statuses.drop_commit_ts(to);
  if (!track_commit_timestamp) {
    counters.commit_timestamps_stopped();
    return;
  }
  counters.commit_timestamps_started();
  const pg::transaction_id oldest = counters.now().oldest_commit_timestamp_xid;
  statuses.zero_page(pg::slru_kind::commit_ts, pg::files::commit_ts_page_of(oldest), to);
}

core::result<void> wal_ingest::state::add_standby(const pg::wal::record& record) {
  STRATA_ASSIGN(const standby_record change, decode_standby(record));
  if (std::holds_alternative<locks_taken>(change)) standby_starts.locks_logged(record.start);
  if (const auto* running = std::get_if<running_transactions>(&change)) {
    const pg::transaction_id oldest_before = counters.now().oldest_active_xid;
    counters.transactions_running(*running);
    standby_starts.transactions_running(record.start, *running, oldest_before, counters.now());
  }
  return {};
}

core::result<void> wal_ingest::state::add_origin(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const origin_record change, decode_origin(record));
  if (const auto* progress = std::get_if<origin_set>(&change)) {
    if (progress->force)
      set_origin(progress->origin, progress->remote, to);
    else
      advance_origin(progress->origin, progress->remote, to);
    return {};
  }
  const std::uint16_t dropped = std::get<origin_drop>(change).origin;
  if (origins.erase(dropped) > 0) to.put_tombstone(replication_origin_key(dropped));
  return {};
}

void wal_ingest::state::advance_origin(std::uint16_t origin, core::lsn remote, const change_target& to) {
  const auto known = origins.find(origin);
  if (remote > (known == origins.end() ? core::lsn() : known->second)) set_origin(origin, remote, to);
}

void wal_ingest::state::set_origin(std::uint16_t origin, core::lsn remote, const change_target& to) {
  origins.insert_or_assign(origin, remote);
  to.put_number(replication_origin_key(origin), remote.value);
}

core::result<void> wal_ingest::state::add_clog(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const clog_record change, decode_clog(record, major));
  if (const auto* zero = std::get_if<slru_zero_page>(&change)) {
    statuses.zero_page(zero->kind, zero->page, to);
    return {};
  }
  const auto& cut = std::get<clog_truncate>(change);
  counters.oldest_xid_advanced(cut.oldest_xid, cut.oldest_xid_database);
  statuses.truncate_clog(cut.page, static_cast<pg::transaction_id>(counters.now().next_xid), to);
  return {};
}

core::result<void> wal_ingest::state::add_commit_ts(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const commit_ts_record change, decode_commit_ts(record, major));
  if (!track_commit_timestamp) return {};
  if (const auto* zero = std::get_if<slru_zero_page>(&change)) {
    statuses.zero_page(zero->kind, zero->page, to);
    return {};
  }
  const auto& cut = std::get<commit_ts_truncate>(change);
  counters.oldest_commit_timestamp_advanced(cut.oldest_xid);
  statuses.truncate_commit_ts(cut.page, static_cast<pg::transaction_id>(counters.now().next_xid), to);
  return {};
}

core::result<void> wal_ingest::state::add_multixact(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const multixact_record change, decode_multixact(record, major));
  if (const auto* created = std::get_if<multixact_create>(&change)) {
    statuses.create_multixact(*created, to);
    counters.multixact_created(created->id, created->offset, static_cast<std::uint32_t>(created->members.size()));
    for (const auto& member : created->members) counters.saw_xid(member.xid);
    return {};
  }
  if (const auto* cut = std::get_if<multixact_truncate>(&change)) {
    counters.oldest_multixact_advanced(cut->offsets_end, cut->oldest_database);
    statuses.truncate_multixact_members(cut->members_begin, cut->members_end, to);
    statuses.truncate_multixact_offsets(cut->offsets_end, counters.now().next_multixact, to);
    return {};
  }
  const auto& zero = std::get<slru_zero_page>(change);
  // Older minor releases create this page only after the last multixact of the page before it, whose end is here.
  const pg::multixact_id next = counters.now().next_multixact;
  const std::uint32_t entry = next % pg::files::multixact_offsets_per_page;
  if (zero.kind == pg::slru_kind::multixact_offsets && pg::files::multixact_offsets_page_of(next) == zero.page &&
      (entry == 0 || next == 1))
    statuses.zero_offsets_page(next, counters.now().next_multixact_offset, to);
  else
    statuses.zero_page(zero.kind, zero.page, to);
  return {};
}

core::result<void> wal_ingest::state::add_tablespace(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const tablespace_record change, decode_tablespace(record));
  if (const auto* created = std::get_if<tablespace_create>(&change))
    to.put_number(tablespace_catalog_key(created->tablespace), std::uint8_t{1});
  else
    to.put_tombstone(tablespace_catalog_key(std::get<tablespace_drop>(change).tablespace));
  return {};
}

}  // namespace strata::storage::mapping
