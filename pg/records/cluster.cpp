#include "pg/records/cluster.hpp"

#include "pg/records/fields.hpp"

namespace strata::pg::records {
namespace {

constexpr std::uint8_t xlog_checkpoint_shutdown = 0x00;
constexpr std::uint8_t xlog_checkpoint_online = 0x10;
constexpr std::uint8_t xlog_next_oid = 0x30;
constexpr std::uint8_t xlog_backup_end = 0x50;
constexpr std::uint8_t xlog_parameter_change = 0x60;
constexpr std::uint8_t xlog_full_page_writes = 0x80;
constexpr std::uint8_t xlog_end_of_recovery = 0x90;

constexpr std::uint8_t standby_lock = 0x00;
constexpr std::uint8_t standby_running = 0x10;
constexpr std::uint8_t origin_progress = 0x00;
constexpr std::uint8_t origin_gone = 0x10;

core::result<xlog_record> decode_checkpoint(const wal::record& from) {
  if (from.main_data.size() != files::checkpoint::encoded_size)
    return corrupt_record(from, "checkpoint of " + std::to_string(from.main_data.size()) + " bytes");
  STRATA_ASSIGN(const files::checkpoint counters, files::checkpoint::decode(from.main_data));
  return xlog_record(checkpoint_taken{from.operation() == xlog_checkpoint_shutdown, counters});
}

core::result<xlog_record> decode_parameters(const wal::record& from) {
  core::byte_reader reader(from.main_data);
  parameters_changed into;
  into.max_connections = reader.le<std::int32_t>();
  into.max_worker_processes = reader.le<std::int32_t>();
  into.max_wal_senders = reader.le<std::int32_t>();
  into.max_prepared_transactions = reader.le<std::int32_t>();
  into.max_locks_per_transaction = reader.le<std::int32_t>();
  const auto level = reader.le<std::int32_t>();
  into.wal_log_hints = reader.le<std::uint8_t>() != 0;
  into.track_commit_timestamp = reader.le<std::uint8_t>() != 0;
  reader.skip(2);
  STRATA_TRY(check_finished(reader, from));
  if (level < 0 || level > static_cast<std::int32_t>(files::wal_level::logical))
    return corrupt_record(from, "wal_level " + std::to_string(level));
  into.wal_level = static_cast<files::wal_level>(level);
  return xlog_record(into);
}

core::result<xlog_record> decode_end_of_recovery(const wal::record& from, major_version major) {
  core::byte_reader reader(from.main_data);
  recovery_ended into;
  into.time = reader.le<timestamp>();
  into.timeline = reader.le<std::uint32_t>();
  into.previous_timeline = reader.le<std::uint32_t>();
  // From 17 on the WAL level follows, padded to 8.
  if (major >= major_version::v17) reader.skip(8);
  STRATA_TRY(check_finished(reader, from));
  return xlog_record(into);
}

}  // namespace

core::result<xlog_record> decode_xlog(const wal::record& from, major_version major) {
  core::byte_reader reader(from.main_data);
  switch (from.operation()) {
    case xlog_checkpoint_shutdown:
    case xlog_checkpoint_online: return decode_checkpoint(from);
    case xlog_parameter_change: return decode_parameters(from);
    case xlog_end_of_recovery: return decode_end_of_recovery(from, major);
    case xlog_next_oid: {
      const next_oid into{reader.le<oid>()};
      STRATA_TRY(check_finished(reader, from));
      return xlog_record(into);
    }
    case xlog_backup_end: {
      const backup_ended into{core::lsn(reader.le<std::uint64_t>())};
      STRATA_TRY(check_finished(reader, from));
      return xlog_record(into);
    }
    case xlog_full_page_writes: {
      const full_page_writes_changed into{reader.le<std::uint8_t>() != 0};
      STRATA_TRY(check_finished(reader, from));
      return xlog_record(into);
    }
    default: return xlog_record(nothing_to_do{});
  }
}

core::result<standby_record> decode_standby(const wal::record& from) {
  if (from.operation() == standby_lock) return standby_record(locks_taken{});
  if (from.operation() != standby_running) return standby_record(nothing_to_do{});
  core::byte_reader reader(from.main_data);
  running_transactions into;
  const auto count = reader.le<std::uint32_t>();
  const auto subtransactions = reader.le<std::uint32_t>();
  into.subtransactions_overflowed = reader.le<std::uint32_t>() & 0xFF;
  into.next_xid = reader.le<transaction_id>();
  into.oldest_running = reader.le<transaction_id>();
  into.latest_completed = reader.le<transaction_id>();
  const std::size_t numbers = reader.left() / sizeof(transaction_id);
  if (!reader.ok() || reader.left() % sizeof(transaction_id) != 0 || std::uint64_t{count} + subtransactions != numbers)
    return corrupt_record(from, "count of transactions does not fit the length");
  into.count = static_cast<std::int32_t>(count);
  into.subtransaction_count = static_cast<std::int32_t>(subtransactions);
  return standby_record(into);
}

core::result<origin_record> decode_origin(const wal::record& from) {
  core::byte_reader reader(from.main_data);
  if (from.operation() == origin_progress) {
    origin_set into;
    into.remote = core::lsn(reader.le<std::uint64_t>());
    into.origin = reader.le<std::uint16_t>();
    into.force = reader.le<std::uint8_t>() != 0;
    reader.skip(5);
    STRATA_TRY(check_finished(reader, from));
    return origin_record(into);
  }
  if (from.operation() != origin_gone) return unknown_operation(from);
  const origin_drop into{reader.le<std::uint16_t>()};
  STRATA_TRY(check_finished(reader, from));
  return origin_record(into);
}

}  // namespace strata::pg::records
