#include "pg/records/slru.hpp"

#include "pg/records/fields.hpp"

namespace strata::pg::records {
namespace {

constexpr std::uint8_t clog_zero = 0x00;
constexpr std::uint8_t clog_cut = 0x10;
constexpr std::uint8_t multixact_zero_offsets = 0x00;
constexpr std::uint8_t multixact_zero_members = 0x10;
constexpr std::uint8_t multixact_new = 0x20;
constexpr std::uint8_t multixact_cut = 0x30;
constexpr std::uint8_t commit_ts_zero = 0x00;
constexpr std::uint8_t commit_ts_cut = 0x10;
constexpr std::uint8_t member_status_last = 5;

/// The last page of 32-bit numbers.
std::uint32_t last_page(slru_kind kind) {
  switch (kind) {
    case slru_kind::clog: return files::clog_page_of(~0u);
    case slru_kind::multixact_members: return files::multixact_members_page_of(~0u);
    case slru_kind::multixact_offsets: return files::multixact_offsets_page_of(~0u);
    case slru_kind::commit_ts: return files::commit_ts_page_of(~0u);
  }
  return 0;
}

/// Major 17 widened page numbers in records; the files did not change.
std::uint64_t take_page_number(core::byte_reader& reader, major_version major) {
  return major >= major_version::v17 ? reader.le<std::uint64_t>() : reader.le<std::uint32_t>();
}

core::result<std::uint32_t> check_page_number(std::uint64_t page, slru_kind kind, const wal::record& from) {
  if (page > last_page(kind)) return corrupt_record(from, "page number " + std::to_string(page));
  return static_cast<std::uint32_t>(page);
}

core::result<slru_zero_page> decode_zero_page(const wal::record& from, slru_kind kind, major_version major) {
  core::byte_reader reader(from.main_data);
  const std::uint64_t page = take_page_number(reader, major);
  STRATA_TRY(check_finished(reader, from));
  STRATA_ASSIGN(const std::uint32_t checked, check_page_number(page, kind, from));
  return slru_zero_page{kind, checked};
}

core::result<multixact_record> decode_create(const wal::record& from) {
  core::byte_reader reader(from.main_data);
  multixact_create into;
  into.id = reader.le<multixact_id>();
  into.offset = reader.le<std::uint32_t>();
  into.members = take_counted_array<files::multixact_member>(reader);
  STRATA_TRY(check_finished(reader, from));
  for (const files::multixact_member member : into.members)
    if (member.status > member_status_last) return corrupt_record(from, "status of a member");
  return multixact_record(into);
}

}  // namespace

core::result<clog_record> decode_clog(const wal::record& from, major_version major) {
  if (from.operation() == clog_zero) {
    STRATA_ASSIGN(const auto zero, decode_zero_page(from, slru_kind::clog, major));
    return clog_record(zero);
  }
  if (from.operation() != clog_cut) return unknown_operation(from);
  core::byte_reader reader(from.main_data);
  clog_truncate into;
  const std::uint64_t page = take_page_number(reader, major);
  into.oldest_xid = reader.le<transaction_id>();
  into.oldest_xid_database = reader.le<oid>();
  STRATA_TRY(check_finished(reader, from));
  STRATA_ASSIGN(into.page, check_page_number(page, slru_kind::clog, from));
  return clog_record(into);
}

core::result<multixact_record> decode_multixact(const wal::record& from, major_version major) {
  switch (from.operation()) {
    case multixact_zero_offsets:
    case multixact_zero_members: {
      const auto kind =
          from.operation() == multixact_zero_offsets ? slru_kind::multixact_offsets : slru_kind::multixact_members;
      STRATA_ASSIGN(const auto zero, decode_zero_page(from, kind, major));
      return multixact_record(zero);
    }
    case multixact_new: return decode_create(from);
    case multixact_cut: {
      core::byte_reader reader(from.main_data);
      multixact_truncate into;
      into.oldest_database = reader.le<oid>();
      into.offsets_begin = reader.le<multixact_id>();
      into.offsets_end = reader.le<multixact_id>();
      into.members_begin = reader.le<std::uint32_t>();
      into.members_end = reader.le<std::uint32_t>();
      STRATA_TRY(check_finished(reader, from));
      return multixact_record(into);
    }
    default: return unknown_operation(from);
  }
}

core::result<commit_ts_record> decode_commit_ts(const wal::record& from, major_version major) {
  if (from.operation() == commit_ts_zero) {
    STRATA_ASSIGN(const auto zero, decode_zero_page(from, slru_kind::commit_ts, major));
    return commit_ts_record(zero);
  }
  if (from.operation() != commit_ts_cut) return unknown_operation(from);
  core::byte_reader reader(from.main_data);
  commit_ts_truncate into;
  const std::uint64_t page = take_page_number(reader, major);
  into.oldest_xid = reader.le<transaction_id>();
  STRATA_TRY(check_finished(reader, from));
  STRATA_ASSIGN(into.page, check_page_number(page, slru_kind::commit_ts, from));
  return commit_ts_record(into);
}

}  // namespace strata::pg::records
