#include "storage/mapping/ingest.hpp"

#include "core/check.hpp"
#include "core/log.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/ingest_state.hpp"

namespace strata::storage::mapping {

using pg::wal::resource_manager;

core::result<std::unique_ptr<wal_ingest>> wal_ingest::open(std::shared_ptr<timeline_store> store) {
  auto state = std::make_unique<wal_ingest::state>(std::move(store));
  if (auto loaded = state->load(); !loaded) return std::move(loaded).error().within("open ingest");
  return std::unique_ptr<wal_ingest>(new wal_ingest(std::move(state)));
}

wal_ingest::wal_ingest(std::unique_ptr<state> of) : state_(std::move(of)) {}
wal_ingest::~wal_ingest() = default;

bool wal_ingest::needs_empty_batch(const pg::wal::record& record) {
  return record.manager == resource_manager::database;
}

core::result<void> wal_ingest::add(const pg::wal::record& record, write_batch& batch, read_mode mode) {
  if (auto added = state_->add(record, change_target{batch, record.end}, mode); !added)
    return std::move(added).error().within("ingest " + pg::wal::describe(record.manager, record.info) + " at " +
                                           core::to_string(record.start));
  batch.finish_record(record.start, record.end);
  return {};
}

core::result<void> wal_ingest::state::load() {
  const core::lsn at = store->last_record_lsn();
  const timeline_record record = store->record();
  major = record.major;
  for (const custom_manager& seen : record.custom_managers) custom_managers.set(seen.id);
  STRATA_ASSIGN(const auto stored, store->read_value(checkpoint_key(), at, read_mode::may_block));
  if (!stored) return core::error{core::errc::corrupt, "counters are missing"};
  STRATA_ASSIGN(const auto checkpoint, pg::files::checkpoint::decode(*stored));
  counters = cluster_counters(checkpoint);
  STRATA_ASSIGN(const auto starts, store->read_value(standby_start_key(), at, read_mode::may_block));
  if (starts) {
    STRATA_ASSIGN(standby_starts, standby_start_tracker::decode(*starts));
  }
  STRATA_ASSIGN(auto stored_control, store->read_value(control_file_key(), at, read_mode::may_block));
  if (!stored_control) return core::error{core::errc::corrupt, "the control file is missing"};
  control_file = *std::move(stored_control);
  STRATA_ASSIGN(const auto control, pg::files::decode_control_file(control_file));
  track_commit_timestamp = control.track_commit_timestamp;
  STRATA_TRY(
      store->scan(kind_range(key_kind::replication_origin), at, [&](const core::page_key& key, core::bytes_view value) {
        if (value.size() == sizeof(std::uint64_t))
          origins.emplace(static_cast<std::uint16_t>(key.block), core::load_le<std::uint64_t>(value.data()));
        return true;
      }));
  STRATA_TRY(relations.load_databases());
  return statuses.load(*store);
}

core::result<void> wal_ingest::state::add(const pg::wal::record& record, const change_target& to, read_mode mode) {
  record_meaning parsed;
  STRATA_TRY(recall(record, mode, parsed));
  counters.saw_xid(record.xid);
  for (std::size_t i = 0; i < record.block_count; ++i) STRATA_TRY(add_block(record, i, to));
  STRATA_TRY(add_meaning(record, parsed, to));
  relations.write_changes(to);
  if (counters.take_changed()) to.put(checkpoint_key(), counters.now().encode());
  if (standby_starts.take_changed()) to.put(standby_start_key(), standby_starts.encode());
  last_added = record.end;
  return {};
}

core::result<void> wal_ingest::state::add_meaning(const pg::wal::record& record, const record_meaning& parsed,
                                                  const change_target& to) {
  switch (record.manager) {
    case resource_manager::heap:
    case resource_manager::heap2:
      if (const auto* clears = std::get_if<pg::redo::visibility_clears_of_record>(&parsed))
        clear_visibility(*clears, to);
      return {};
    case resource_manager::xlog: return add_xlog(std::get<pg::records::xlog_record>(parsed), to);
    case resource_manager::transaction:
      if (const auto* end = std::get_if<pg::records::transaction_end>(&parsed))
        end_transaction(record, *end, to);
      else if (pg::records::transaction_operation_of(record) == pg::records::transaction_operation::prepare)
        return prepare_transaction(record, to);
      return {};
    case resource_manager::storage: add_storage(std::get<pg::records::storage_record>(parsed), to); return {};
    case resource_manager::clog: return add_clog(record, to);
    case resource_manager::commit_ts: return add_commit_ts(record, to);
    case resource_manager::multixact: return add_multixact(record, to);
    case resource_manager::database: return add_database(record, to);
    case resource_manager::tablespace: return add_tablespace(record, to);
    case resource_manager::relmap: return add_relation_map(record, to);
    case resource_manager::standby: return add_standby(record);
    case resource_manager::replication_origin: return add_origin(record, to);
    default: return pg::wal::is_custom(record.manager) ? note_custom_manager(record) : core::result<void>();
  }
}

core::result<void> wal_ingest::state::note_custom_manager(const pg::wal::record& record) {
  const auto id = static_cast<std::uint8_t>(record.manager);
  if (custom_managers.test(id)) return {};
  timeline_edit edit;
  edit.custom_manager_seen = custom_manager{id, record.end};
  STRATA_TRY(store->update(edit));
  custom_managers.set(id);
  core::log_warning("the WAL has records of resource manager " + std::to_string(id) +
                    ", which is an extension's own, from " + core::to_string(record.start) +
                    " on: pages that they change can't be read");
  return {};
}

core::result<void> wal_ingest::state::add_block(const pg::wal::record& record, std::size_t index,
                                                const change_target& to) {
  const pg::wal::block_reference& reference = record.blocks[index];
  bool initial = false;
  if (!existing.test(index)) {
    STRATA_ASSIGN(initial, relations.extend_over(reference.relation, reference.block, to));
  }
  const pg::redo::block_record slice = pg::redo::slice(record, index);
  initial = initial || slice.initial();
  std::uint8_t* value = to.batch.reserve(relation_page_key(reference.relation, reference.block), to.at,
                                         pg::redo::encoded_size(slice) + 1);
  *value = value_tag(value_kind::block_record, initial);
  pg::redo::encode(slice, value + 1);
  return {};
}

void wal_ingest::state::clear_visibility(const pg::redo::visibility_clears_of_record& clears, const change_target& to) {
  payload.clear();
  for (std::uint8_t i = 0; i < clears.count; ++i) {
    const pg::redo::visibility_clear& clear = clears.clears[i];
    pg::relation_fork map = clear.heap;
    map.fork = pg::fork::vm;
    const pg::block_number block = pg::redo::vm_block_of(clear.heap_block);
    // Postgres does not create a map, or a page of it, only to clear bits in it.
    const std::optional<std::uint32_t> blocks = relations.blocks(map);
    if (!blocks || block >= *blocks) continue;
    encode_visibility_clear(payload, clear.heap_block, clear.bits);
    const bool same_page_follows = i + 1 < clears.count && clears.clears[i + 1].heap == clear.heap &&
                                   pg::redo::vm_block_of(clears.clears[i + 1].heap_block) == block;
    if (same_page_follows) continue;
    to.put_strata_record(relation_page_key(map, block), false, payload);
    payload.clear();
  }
}

}  // namespace strata::storage::mapping
