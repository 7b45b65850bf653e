#include "pg/records/transaction.hpp"

#include <algorithm>

#include "pg/records/fields.hpp"

namespace strata::pg::records {
namespace {

constexpr std::uint8_t info_has_flags = 0x80;

// Which parts follow the time, in this order (Postgres: src/include/access/xact.h).
constexpr std::uint32_t has_database = 0x01;
constexpr std::uint32_t has_subtransactions = 0x02;
constexpr std::uint32_t has_relations = 0x04;
constexpr std::uint32_t has_statistics = 0x100;
constexpr std::uint32_t has_invalidations = 0x08;
constexpr std::uint32_t has_two_phase = 0x10;
constexpr std::uint32_t has_gid = 0x80;
constexpr std::uint32_t has_origin = 0x20;
constexpr std::size_t invalidation_size = 16;

constexpr std::uint32_t state_magic = 0x57F94534;
/// The length in a state's header includes the CRC that only the file has.
constexpr std::uint32_t state_crc_size = 4;

void skip_counted(core::byte_reader& reader, std::size_t element_size) {
  const std::uint64_t count = reader.le<std::uint32_t>();
  reader.skip(count * element_size);
}

/// Skips text and its NUL.
void skip_string(core::byte_reader& reader) {
  const core::bytes_view rest = reader.rest();
  const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
  reader.skip(static_cast<std::size_t>(end - rest.begin()) + 1);
}

constexpr std::size_t aligned(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

}  // namespace

core::result<transaction_end> decode_transaction_end(const wal::record& from, major_version major) {
  const transaction_operation operation = transaction_operation_of(from);
  transaction_end into;
  into.committed = operation == transaction_operation::commit || operation == transaction_operation::commit_prepared;
  into.prepared =
      operation == transaction_operation::commit_prepared || operation == transaction_operation::abort_prepared;
  if (!into.committed && !into.prepared && operation != transaction_operation::abort) return unknown_operation(from);

  core::byte_reader reader(from.main_data);
  into.xid = from.xid;
  into.time = reader.le<timestamp>();
  if (from.info & info_has_flags) into.flags = reader.le<std::uint32_t>();
  if (into.flags & has_database) {
    into.database = reader.le<oid>();
    into.tablespace = reader.le<oid>();
  }
  if (into.flags & has_subtransactions) into.subtransactions = take_counted_array<transaction_id>(reader);
  if (into.flags & has_relations) into.dropped = take_counted_array<relation_fork>(reader);
  if (major >= major_version::v15 && into.flags & has_statistics)
    skip_counted(reader, major >= major_version::v18 ? 16 : 12);
  if (into.committed && into.flags & has_invalidations) skip_counted(reader, invalidation_size);
  if (into.flags & has_two_phase) {
    into.xid = reader.le<transaction_id>();
    if (into.flags & has_gid) skip_string(reader);
  }
  if (into.flags & has_origin) {
    into.origin_lsn = core::lsn(reader.le<std::uint64_t>());
    into.origin_time = reader.le<timestamp>();
  }
  STRATA_TRY(check_finished(reader, from));
  if (into.prepared && !(into.flags & has_two_phase))
    return corrupt_record(from, "no number of the prepared transaction");
  return into;
}

core::result<transaction_prepare> decode_transaction_prepare(const wal::record& from, major_version major) {
  if (transaction_operation_of(from) != transaction_operation::prepare) return unknown_operation(from);
  auto decoded = decode_prepared_state(from.main_data, major);
  if (!decoded) return corrupt_record(from, decoded.error().detail);
  return decoded;
}

core::result<transaction_prepare> decode_prepared_state(core::bytes_view state, major_version major) {
  const auto corrupt = [](std::string what) {
    return core::error{core::errc::corrupt, "read prepared transaction: " + std::move(what)};
  };
  core::byte_reader reader(state);
  transaction_prepare into;
  into.state = state;
  const auto magic = reader.le<std::uint32_t>();
  const auto total = reader.le<std::uint32_t>();
  into.xid = reader.le<transaction_id>();
  into.database = reader.le<oid>();
  into.time = reader.le<timestamp>();
  reader.skip(sizeof(oid));
  const auto subtransactions = reader.le<std::uint32_t>();
  // Counts of relations to drop at commit and at abort, then of statistics likewise.
  reader.skip(2 * sizeof(std::uint32_t));
  if (major >= major_version::v15) reader.skip(2 * sizeof(std::uint32_t));
  // Count of invalidations, a flag, padding.
  reader.skip(sizeof(std::uint32_t) + 2);
  const auto gid_size = reader.le<std::uint16_t>();
  into.origin_lsn = core::lsn(reader.le<std::uint64_t>());
  // The origin's time; then the parts, each on its own 8-byte boundary.
  reader.skip(sizeof(timestamp));
  if (reader.ok() && aligned(state.size() - reader.left()) != state.size() - reader.left())
    reader.skip(aligned(state.size() - reader.left()) - (state.size() - reader.left()));
  reader.skip(aligned(gid_size));
  into.subtransactions = take_array<transaction_id>(reader, subtransactions);
  if (!reader.ok()) return corrupt("data is too short");
  if (magic != state_magic) return corrupt("wrong magic number");
  if (total != state.size() + state_crc_size)
    return corrupt("the header's length is " + std::to_string(total) + " bytes, there are " +
                   std::to_string(state.size() + state_crc_size));
  if (into.xid < 3) return corrupt("transaction number " + std::to_string(into.xid));
  return into;
}

}  // namespace strata::pg::records
