#include <string>
#include <variant>

#include "pg/records/cluster.hpp"
#include "storage/mapping/ingest_state.hpp"

namespace strata::storage::mapping {

using pg::wal::resource_manager;

namespace {
core::error needs_disk(const char* what) { return {core::errc::would_block, std::string(what) + " needs the disk"}; }
}  // namespace

core::result<void> wal_ingest::state::recall(const pg::wal::record& record, read_mode mode) {
  relations.begin_record();
  if (mode == read_mode::memory_only) {
    if (record.manager == resource_manager::database) return needs_disk("a record of databases");
    STRATA_ASSIGN(const bool writes, writes_metadata(record));
    if (writes) return needs_disk("a change of the timeline's record");
  }
  STRATA_TRY(recall_blocks(record, mode));
  switch (record.manager) {
    case resource_manager::heap:
    case resource_manager::heap2: return recall_maps(record, mode);
    case resource_manager::storage: return recall_storage(record, mode);
    case resource_manager::transaction: return recall_dropped(record, mode);
    default: return {};
  }
}

core::result<void> wal_ingest::state::recall_blocks(const pg::wal::record& record, read_mode mode) {
  existing.reset();
  for (std::size_t i = 0; i < record.block_count; ++i) {
    const pg::wal::block_reference& reference = record.blocks[i];
    if (relations.known_inside(reference.relation, reference.block)) {
      existing.set(i);
      continue;
    }
    STRATA_TRY(relations.recall(reference.relation, mode));
  }
  return {};
}

core::result<void> wal_ingest::state::recall_maps(const pg::wal::record& record, read_mode mode) {
  const pg::redo::visibility_clears_of_record clears = pg::redo::visibility_clears(record);
  for (std::uint8_t i = 0; i < clears.count; ++i) {
    pg::relation_fork map = clears.clears[i].heap;
    map.fork = pg::fork::vm;
    STRATA_TRY(relations.recall(map, mode));
  }
  return {};
}

core::result<void> wal_ingest::state::recall_storage(const pg::wal::record& record, read_mode mode) {
  STRATA_ASSIGN(const pg::records::storage_record change, pg::records::decode_storage(record));
  if (const auto* created = std::get_if<pg::records::relation_create>(&change))
    return relations.recall(created->relation, mode);
  const auto& cut = std::get<pg::records::relation_truncate>(change);
  STRATA_TRY(relations.recall(cut.relation, mode));
  for (const pg::fork fork : {pg::fork::vm, pg::fork::fsm}) {
    pg::relation_fork map = cut.relation;
    map.fork = fork;
    STRATA_TRY(relations.recall(map, mode));
  }
  return {};
}

core::result<void> wal_ingest::state::recall_dropped(const pg::wal::record& record, read_mode mode) {
  if (!pg::records::ends_transaction(record)) return {};
  STRATA_ASSIGN(const pg::records::transaction_end end, pg::records::decode_transaction_end(record, major));
  for (pg::relation_fork dropped : end.dropped)
    for (std::size_t fork = 0; fork < pg::fork_count; ++fork) {
      dropped.fork = static_cast<pg::fork>(fork);
      STRATA_TRY(relations.recall(dropped, mode));
    }
  return {};
}

core::result<bool> wal_ingest::state::writes_metadata(const pg::wal::record& record) const {
  if (pg::wal::is_custom(record.manager)) return !custom_managers.test(static_cast<std::uint8_t>(record.manager));
  if (record.manager != resource_manager::xlog) return false;
  STRATA_ASSIGN(const pg::records::xlog_record change, pg::records::decode_xlog(record, major));
  const auto* parameters = std::get_if<pg::records::parameters_changed>(&change);
  return parameters != nullptr && parameters->wal_log_hints != store->record().wal_log_hints;
}

}  // namespace strata::storage::mapping
