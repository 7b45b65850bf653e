#include "pg/records/storage.hpp"

#include "pg/records/fields.hpp"

namespace strata::pg::records {
namespace {

constexpr std::uint8_t storage_create = 0x10;
constexpr std::uint8_t storage_truncate = 0x20;
constexpr std::uint32_t truncate_main = 1;
constexpr std::uint32_t truncate_vm = 2;
constexpr std::uint32_t truncate_fsm = 4;

constexpr std::uint8_t tablespace_new = 0x00;
constexpr std::uint8_t tablespace_gone = 0x10;
constexpr std::uint8_t relation_map_new = 0x00;

enum class database_operation { copy, create, drop, unknown };

database_operation database_operation_of(const wal::record& from, major_version major) {
  switch (from.operation()) {
    case 0x00: return database_operation::copy;
    case 0x10: return major == major_version::v14 ? database_operation::drop : database_operation::create;
    case 0x20: return major == major_version::v14 ? database_operation::unknown : database_operation::drop;
    default: return database_operation::unknown;
  }
}

}  // namespace

core::result<storage_record> decode_storage(const wal::record& from) {
  core::byte_reader reader(from.main_data);
  if (from.operation() == storage_create) {
    relation_create into{take_relation(reader)};
    const auto number = reader.le<std::uint32_t>();
    STRATA_TRY(check_finished(reader, from));
    if (number >= fork_count) return corrupt_record(from, "fork number " + std::to_string(number));
    into.relation.fork = static_cast<fork>(number);
    return storage_record(into);
  }
  if (from.operation() != storage_truncate) return unknown_operation(from);
  relation_truncate into;
  into.new_blocks = reader.le<block_number>();
  into.relation = take_relation(reader);
  const auto flags = reader.le<std::uint32_t>();
  STRATA_TRY(check_finished(reader, from));
  if (flags & ~(truncate_main | truncate_vm | truncate_fsm)) return corrupt_record(from, "unknown truncate flags");
  into.main = flags & truncate_main;
  into.vm = flags & truncate_vm;
  into.fsm = flags & truncate_fsm;
  return storage_record(into);
}

core::result<database_record> decode_database(const wal::record& from, major_version major) {
  core::byte_reader reader(from.main_data);
  switch (database_operation_of(from, major)) {
    case database_operation::copy: {
      database_copy into;
      into.database = reader.le<oid>();
      into.tablespace = reader.le<oid>();
      into.source_database = reader.le<oid>();
      into.source_tablespace = reader.le<oid>();
      STRATA_TRY(check_finished(reader, from));
      return database_record(into);
    }
    case database_operation::create: {
      database_create into;
      into.database = reader.le<oid>();
      into.tablespace = reader.le<oid>();
      STRATA_TRY(check_finished(reader, from));
      return database_record(into);
    }
    case database_operation::drop: {
      database_drop into;
      into.database = reader.le<oid>();
      into.tablespaces = take_counted_array<oid>(reader);
      STRATA_TRY(check_finished(reader, from));
      return database_record(into);
    }
    case database_operation::unknown: break;
  }
  return unknown_operation(from);
}

core::result<tablespace_record> decode_tablespace(const wal::record& from) {
  core::byte_reader reader(from.main_data);
  const auto tablespace = reader.le<oid>();
  if (from.operation() == tablespace_new) {
    const core::bytes_view path = reader.rest();
    if (!reader.ok() || path.empty() || path.back() != 0) return corrupt_record(from, "path of the tablespace");
    const std::string_view text(reinterpret_cast<const char*>(path.data()), path.size() - 1);
    if (text.find('\0') != std::string_view::npos) return corrupt_record(from, "path of the tablespace");
    return tablespace_record(tablespace_create{tablespace, text});
  }
  if (from.operation() != tablespace_gone) return unknown_operation(from);
  STRATA_TRY(check_finished(reader, from));
  return tablespace_record(tablespace_drop{tablespace});
}

core::result<relation_map_update> decode_relation_map(const wal::record& from, major_version major) {
  if (from.operation() != relation_map_new) return unknown_operation(from);
  core::byte_reader reader(from.main_data);
  relation_map_update into;
  into.database = reader.le<oid>();
  into.tablespace = reader.le<oid>();
  const auto size = reader.le<std::uint32_t>();
  into.content = reader.take(size);
  STRATA_TRY(check_finished(reader, from));
  if (size != (major >= major_version::v16 ? 524u : 512u))
    return corrupt_record(from, "relation map of " + std::to_string(size) + " bytes");
  return into;
}

}  // namespace strata::pg::records
