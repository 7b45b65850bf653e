#include <string>
#include <variant>

#include "storage/mapping/ingest_state.hpp"

namespace strata::storage::mapping {

using pg::wal::resource_manager;

namespace {
core::error needs_disk(const char* what) { return {core::errc::would_block, std::string(what) + " needs the disk"}; }
}  // namespace

core::result<void> wal_ingest::state::recall(const pg::wal::record& record, read_mode mode, record_meaning& parsed) {
  const bool may_write = mode == read_mode::may_block;
  relations.begin_record();
  STRATA_TRY(recall_blocks(record, mode));
  switch (record.manager) {
    case resource_manager::heap:
    case resource_manager::heap2: {
      const pg::redo::visibility_clears_of_record clears = pg::redo::visibility_clears(record);
      if (clears.count == 0) return {};
      parsed = clears;
      return recall_maps(clears, mode);
    }
    case resource_manager::storage: {
      STRATA_ASSIGN(parsed, pg::records::decode_storage(record));
      return recall_storage(std::get<pg::records::storage_record>(parsed), mode);
    }
    case resource_manager::transaction: {
      if (!pg::records::ends_transaction(record)) return {};
      STRATA_ASSIGN(parsed, pg::records::decode_transaction_end(record, major));
      return recall_dropped(std::get<pg::records::transaction_end>(parsed), mode);
    }
    case resource_manager::xlog: {
      STRATA_ASSIGN(parsed, pg::records::decode_xlog(record, major));
      if (may_write || !writes_metadata(std::get<pg::records::xlog_record>(parsed))) return {};
      return needs_disk("a change of the timeline's record");
    }
    case resource_manager::database: return may_write ? core::result<void>() : needs_disk("a record of databases");
    default: {
      const bool noted =
          !pg::wal::is_custom(record.manager) || custom_managers.test(static_cast<std::uint8_t>(record.manager));
      return may_write || noted ? core::result<void>() : needs_disk("a change of the timeline's record");
    }
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

core::result<void> wal_ingest::state::recall_maps(const pg::redo::visibility_clears_of_record& clears, read_mode mode) {
  for (std::uint8_t i = 0; i < clears.count; ++i) {
    pg::relation_fork map = clears.clears[i].heap;
    map.fork = pg::fork::vm;
    STRATA_TRY(relations.recall(map, mode));
  }
  return {};
}

core::result<void> wal_ingest::state::recall_storage(const pg::records::storage_record& change, read_mode mode) {
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

core::result<void> wal_ingest::state::recall_dropped(const pg::records::transaction_end& end, read_mode mode) {
  for (pg::relation_fork dropped : end.dropped)
    for (std::size_t fork = 0; fork < pg::fork_count; ++fork) {
      dropped.fork = static_cast<pg::fork>(fork);
      STRATA_TRY(relations.recall(dropped, mode));
    }
  return {};
}

bool wal_ingest::state::writes_metadata(const pg::records::xlog_record& change) const {
  const auto* parameters = std::get_if<pg::records::parameters_changed>(&change);
  return parameters != nullptr && parameters->wal_log_hints != store->record().wal_log_hints;
}

}  // namespace strata::storage::mapping
