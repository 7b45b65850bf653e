#include <algorithm>
#include <variant>

#include "core/check.hpp"
#include "pg/files/free_space_map.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/directory.hpp"
#include "storage/mapping/ingest_state.hpp"

namespace strata::storage::mapping {

void wal_ingest::state::add_storage(const pg::records::storage_record& change, const change_target& to) {
  if (const auto* created = std::get_if<pg::records::relation_create>(&change))
    relations.create(created->relation, to);
  else
    truncate(std::get<pg::records::relation_truncate>(change), to);
}

void wal_ingest::state::truncate(const pg::records::relation_truncate& cut, const change_target& to) {
  if (cut.main) relations.shrink(cut.relation, cut.new_blocks, to);
  pg::relation_fork map = cut.relation;
  map.fork = pg::fork::vm;
  if (cut.vm) truncate_visibility(map, cut.new_blocks, to);
  map.fork = pg::fork::fsm;
  if (cut.fsm) truncate_free_space(map, cut.new_blocks, to);
}

void wal_ingest::state::truncate_visibility(pg::relation_fork map, pg::block_number heap_blocks,
                                            const change_target& to) {
  const std::optional<std::uint32_t> blocks = relations.blocks(map);
  if (!blocks) return;
  pg::block_number kept = pg::redo::vm_block_of(heap_blocks);
  if (heap_blocks % pg::redo::heap_blocks_per_vm_page != 0) {
    if (kept < *blocks) {
      payload.clear();
      encode_visibility_truncate(payload, heap_blocks);
      to.put_strata_record(relation_page_key(map, kept), false, payload);
    }
    ++kept;
  }
  relations.shrink(map, kept, to);
}

void wal_ingest::state::truncate_free_space(pg::relation_fork map, pg::block_number heap_blocks,
                                            const change_target& to) {
  const std::optional<std::uint32_t> blocks = relations.blocks(map);
  if (!blocks) return;
  pg::block_number kept = pg::files::free_space_leaf_of(heap_blocks);
  if (heap_blocks % pg::files::free_space_slots != 0) {
    // Free space is a hint: Postgres clears the tail of this page, Strata the whole page.
    if (kept < *blocks) to.put_zero_page(relation_page_key(map, kept));
    ++kept;
  }
  relations.shrink(map, kept, to);
}

core::result<void> wal_ingest::state::add_relation_map(const pg::wal::record& record, const change_target& to) {
  STRATA_ASSIGN(const auto update, pg::records::decode_relation_map(record, major));
  relations.ensure_database(update.tablespace, update.database, to);
  to.put(relation_map_key(update.tablespace, update.database), update.content);
  return {};
}

core::result<void> wal_ingest::state::add_database(const pg::wal::record& record, const change_target& to) {
  core::check(to.batch.empty() && (!last_added.valid() || store->last_record_lsn() >= last_added),
              "a record of databases needs all earlier records to be visible");
  STRATA_ASSIGN(const pg::records::database_record change, pg::records::decode_database(record, major));
  if (const auto* copied = std::get_if<pg::records::database_copy>(&change)) return copy_database(*copied, to);
  if (const auto* created = std::get_if<pg::records::database_create>(&change)) {
    relations.ensure_database(created->tablespace, created->database, to);
    return {};
  }
  const auto& dropped = std::get<pg::records::database_drop>(change);
  for (const pg::oid tablespace : dropped.tablespaces)
    STRATA_TRY(relations.drop_database(tablespace, dropped.database, to));
  return {};
}

core::result<void> wal_ingest::state::copy_database(const pg::records::database_copy& copy, const change_target& to) {
  const core::lsn at = store->last_record_lsn();
  // Like replay: drops what exists first.
  STRATA_TRY(relations.drop_database(copy.tablespace, copy.database, to));
  relations.write_changes(to);
  relations.ensure_database(copy.tablespace, copy.database, to);
  STRATA_ASSIGN(const auto map, store->read_value(relation_map_key(copy.source_tablespace, copy.source_database), at,
                                                  read_mode::may_block));
  if (map) to.put(relation_map_key(copy.tablespace, copy.database), *map);
  STRATA_ASSIGN(const auto copied, mapping::relations(*store, copy.source_tablespace, copy.source_database, at));
  for (const relation_entry& each : copied) {
    pg::relation_fork into = each.relation;
    into.tablespace = copy.tablespace;
    into.database = copy.database;
    STRATA_TRY(copy_relation(each.relation, into, each.blocks, to));
  }
  return {};
}

core::result<void> wal_ingest::state::copy_relation(const pg::relation_fork& from, const pg::relation_fork& into,
                                                    std::uint32_t blocks, const change_target& to) {
  constexpr std::uint32_t step = 32;
  relations.set(into, blocks, to);
  core::bytes content(step * pg::page_size);
  std::vector<page_read> reads;
  for (std::uint32_t done = 0; done < blocks; done += step) {
    reads.clear();
    for (std::uint32_t i = 0; i < std::min(step, blocks - done); ++i)
      reads.push_back(
          {relation_page_key(from, done + i), core::bytes_span(content).subspan(i * pg::page_size, pg::page_size), {}});
    store->read_pages(reads, store->last_record_lsn(), read_mode::may_block);
    for (std::uint32_t i = 0; i < reads.size(); ++i) {
      if (reads[i].failure) return (*std::move(reads[i].failure)).within("copy " + pg::to_string(from));
      to.put(relation_page_key(into, done + i), reads[i].page);
    }
  }
  return {};
}

}  // namespace strata::storage::mapping
