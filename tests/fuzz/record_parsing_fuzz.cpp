// Parsing a record, and everything that looks into one: the stored form of each of its blocks, its name, the visibility
// bits that it clears, and what records without blocks say.

#include <algorithm>
#include <memory>

#include "pg/records/cluster.hpp"
#include "pg/records/slru.hpp"
#include "pg/records/storage.hpp"
#include "pg/records/transaction.hpp"
#include "pg/redo/visibility_map.hpp"
#include "tests/fuzz/block_records.hpp"
#include "tests/fuzz/inputs.hpp"
#include "tests/fuzz/support.hpp"

namespace strata::tests::fuzz {

namespace {

using pg::wal::resource_manager;

constexpr core::lsn start(0x5000028), end(0x5000100);

/// Reads what a view or an array promises; gives something that depends on all of it.
std::size_t touch(core::bytes_view bytes) { return static_cast<std::size_t>(std::ranges::count(bytes, 0)); }
template <class Element>
std::size_t touch(const pg::records::packed_array<Element>& array) {
  std::size_t count = 0;
  for (const Element element : array) count += element == Element{} ? 1 : 0;
  if (!array.empty()) count += array[array.size() - 1] == Element{} ? 1 : 0;
  return count;
}
std::size_t touch(const pg::records::transaction_end& of) { return touch(of.subtransactions) + touch(of.dropped); }
std::size_t touch(const pg::records::transaction_prepare& of) { return touch(of.subtransactions) + touch(of.state); }
std::size_t touch(const pg::records::database_drop& of) { return touch(of.tablespaces); }
std::size_t touch(const pg::records::relation_map_update& of) { return touch(of.content); }
std::size_t touch(const pg::records::tablespace_create& of) { return std::hash<std::string_view>()(of.path); }
std::size_t touch(const pg::records::multixact_create& of) {
  std::size_t count = 0;
  for (const auto& member : of.members) count += member.xid;
  return count;
}
template <class Plain>
std::size_t touch(const Plain&) {
  return 0;
}
template <class... Kinds>
std::size_t touch(const std::variant<Kinds...>& of) {
  return std::visit([](const auto& kind) { return touch(kind); }, of);
}

template <class Decoded>
void look(const core::result<Decoded>& decoded) {
  [[maybe_unused]] static volatile std::size_t sink;
  if (decoded)
    sink = touch(*decoded);
  else
    demand_refusal(decoded.error());
}

void look_at_transaction(const pg::wal::record& record, pg::major_version major) {
  using enum pg::records::transaction_operation;
  switch (pg::records::transaction_operation_of(record)) {
    case commit:
    case abort:
    case commit_prepared:
    case abort_prepared: return look(pg::records::decode_transaction_end(record, major));
    case prepare: return look(pg::records::decode_transaction_prepare(record, major));
    default: return;
  }
}

void look_at_meaning(const pg::wal::record& record, pg::major_version major) {
  switch (record.manager) {
    case resource_manager::xlog: return look(pg::records::decode_xlog(record, major));
    case resource_manager::transaction: return look_at_transaction(record, major);
    case resource_manager::storage: return look(pg::records::decode_storage(record));
    case resource_manager::clog: return look(pg::records::decode_clog(record, major));
    case resource_manager::database: return look(pg::records::decode_database(record, major));
    case resource_manager::tablespace: return look(pg::records::decode_tablespace(record));
    case resource_manager::multixact: return look(pg::records::decode_multixact(record, major));
    case resource_manager::relmap: return look(pg::records::decode_relation_map(record, major));
    case resource_manager::standby: return look(pg::records::decode_standby(record));
    case resource_manager::commit_ts: return look(pg::records::decode_commit_ts(record, major));
    case resource_manager::replication_origin: return look(pg::records::decode_origin(record));
    default: return;
  }
}

}  // namespace

}  // namespace strata::tests::fuzz

using namespace strata;
using namespace strata::tests::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < record_input_header) return 0;
  const pg::major_version major = major_of(data[0]);
  exact_copy bytes({data + record_input_header, size - record_input_header});
  if (bytes.view().size() >= sizeof(std::uint32_t))
    core::store_le(bytes.span().data(), static_cast<std::uint32_t>(bytes.view().size()));

  // Reused between records, as the receiver does.
  static const auto record = std::make_unique<pg::wal::record>();
  if (auto parsed = pg::wal::parse_record(bytes.view(), start, end, major, *record); !parsed) {
    demand_refusal(parsed.error());
    return 0;
  }
  demand(record->block_count <= pg::wal::block_references_max, "number of blocks");
  const std::string name = pg::wal::describe(record->manager, record->info);
  demand(!name.empty() && name.size() < 64, "name of a record", name);
  for (std::size_t i = 0; i < record->block_count; ++i) {
    const auto& block = record->blocks[i];
    demand(record->block(block.id) == &block, "a block is found by its id");
    demand_round_trip(pg::redo::slice(*record, i));
  }
  const auto clears = pg::redo::visibility_clears(*record);
  demand(clears.count <= clears.clears.size(), "number of visibility clears");
  look_at_meaning(*record, major);
  return 0;
}
