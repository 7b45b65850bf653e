#include "pg/verify/wal_verifier.hpp"

#include <algorithm>
#include <variant>

#include "core/check.hpp"
#include "pg/page/checksum.hpp"
#include "pg/page/page.hpp"
#include "pg/records/cluster.hpp"
#include "pg/records/storage.hpp"
#include "pg/records/transaction.hpp"
#include "pg/redo/visibility_map.hpp"

namespace strata::pg::verify {

namespace {

using wal::resource_manager;

constexpr std::uint8_t first_custom_manager = 128;
constexpr fork all_forks[] = {fork::main, fork::fsm, fork::vm, fork::init};

/// Whether every bit set in `theirs` is set in `ours`: another backend cleared bits before its own record was logged.
bool only_bits_ahead(const page_bytes& ours, const page_bytes& theirs) {
  return std::equal(ours.begin(), ours.end(), theirs.begin(),
                    [](std::uint8_t mine, std::uint8_t other) { return (other & ~mine) == 0; });
}

/// Postgres reinitialises an emptied page of an SP-GiST index without WAL (docs/redo.md).
bool is_unlogged_spgist(page_bytes theirs) {
  const page::slotted_page view(theirs);
  return !view.lsn().valid() && view.item_count() == 0;
}

/// A server extends a map by an empty page without WAL.
bool is_blank_map(const page_bytes& page, fork in_fork) {
  return in_fork == fork::vm &&
         std::all_of(page.begin() + page::header_size, page.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// A page that was written to its file before it was logged: an init fork, or a page of a GiST index that was built by
/// sorting, which has an LSN of its own below that of all records.
bool is_written_directly(page_bytes theirs) {
  constexpr core::lsn gist_build{1};
  return page::slotted_page(theirs).lsn() <= gist_build;
}

core::lsn lsn_of(page_bytes page) { return page::slotted_page(page).lsn(); }

/// CREATE DATABASE logs the pages of a map as images whose hole is the whole map: its bits are not in WAL, and
/// nothing relies on them.
bool is_lost_map(const wal::record& record, const wal::block_reference& block, const page_bytes& page) {
  return record.manager == resource_manager::xlog && is_blank_map(page, block.relation.fork);
}

/// A heap page that is set all-visible: whether its LSN moves depends on a setting that may have been different when
/// the record was written; then the server was restarted since.
bool is_set_visible(const wal::record& record, const wal::block_reference& block) {
  constexpr std::uint8_t visible = 0x40;
  return record.manager == resource_manager::heap2 && record.operation() == visible &&
         block.relation.fork == fork::main;
}

bool is_hint_without_image(const wal::record& record, const wal::block_reference& block) {
  constexpr std::uint8_t image_for_hint = 0xA0;
  return record.manager == resource_manager::xlog && record.operation() == image_for_hint && !block.has_image;
}

}  // namespace

wal_verifier::wal_verifier(const verifier_options& options, report& into)
    : options_(options), report_(into), pages_(options.pages_max) {}

void wal_verifier::add_base_page(const relation_fork& relation, block_number block, core::bytes_view page) {
  core::check(page.size() == page_size, "a page has 8192 bytes");
  note_database(relation);
  if (page_bytes* made = pages_.make(relation, block))
    std::copy(page.begin(), page.end(), made->begin());
  else
    ++report_.pages_beyond_memory;
}

void wal_verifier::note_database(const relation_fork& relation) {
  const std::pair named(relation.tablespace, relation.database);
  if (last_database_ != named) databases_.insert(named);
  last_database_ = named;
}

void wal_verifier::add(const wal::record& record) {
  record_counts& counts = report_.of(record.manager, record.info);
  ++counts.records;
  traces_.add(record);
  follow_files(record);
  // Postgres clears the map before it takes the images.
  if (record.manager == resource_manager::heap || record.manager == resource_manager::heap2) clear_visibility(record);
  for (std::size_t i = 0; i < record.block_count; ++i) add_block(record, i, counts);
}

void wal_verifier::add_block(const wal::record& record, std::size_t index, record_counts& counts) {
  const wal::block_reference& block = record.blocks[index];
  note_database(block.relation);
  if (static_cast<std::uint8_t>(record.manager) >= first_custom_manager && !(block.has_image && block.apply_image)) {
    ++counts.foreign;
    pages_.drop(block.relation, block.block);
    return;
  }
  const redo::block_record cut = redo::slice(record, index);
  page_bytes* page = page_for(block, cut);
  if (page == nullptr) return learn(record, block, counts);
  const core::lsn before = lsn_of(*page);
  if (auto redone = redo_block(cut, record.end, *page); !redone) {
    ++counts.failed;
    pages_.drop(block.relation, block.block);
    return differ(record, block, redone.error().detail);
  }
  if (is_set_visible(record, block) && lsn_of(*page) != before)
    traces_.hint_moved_lsn(block.relation, block.block, before, record.end);
  if (is_lost_map(record, block, *page))
    lost_maps_.emplace(block.relation, block.block);
  else if (cut.has_image)
    lost_maps_.erase({block.relation, block.block});
  // Without its image a hint's record moves the page's LSN on the server that sets the hint, though not in a replay.
  if (is_hint_without_image(record, block) && !all_zero(*page)) {
    page::slotted_page hinted(*page);
    traces_.hint_moved_lsn(block.relation, block.block, hinted.lsn(), record.end);
    hinted.set_lsn(record.end);
  }
  ++(cut.has_image ? counts.restored : counts.redone);
  if (block.has_image && !block.apply_image) compare_with_image(record, block, *page, counts);
}

// nullptr: its content before the record is needed and unknown, or there is no room.
page_bytes* wal_verifier::page_for(const wal::block_reference& block, const redo::block_record& cut) {
  if (page_bytes* known = pages_.find(block.relation, block.block)) return known;
  if (!cut.initial() && !options_.has_base) return nullptr;
  page_bytes* made = pages_.make(block.relation, block.block);
  if (made == nullptr) ++report_.pages_beyond_memory;
  return made;
}

core::result<void> wal_verifier::redo_block(const redo::block_record& cut, core::lsn end, page_bytes& page) {
  if (before_each_) before_each_(cut, page, end, options_.context);
  if (!options_.through_stored_form) return redo::apply(cut, end, options_.context, page);
  stored_.resize(redo::encoded_size(cut));
  redo::encode(cut, stored_.data());
  STRATA_ASSIGN(const redo::block_record decoded, redo::decode_block_record(stored_));
  return redo::apply(decoded, end, options_.context, page);
}

void wal_verifier::compare_with_image(const wal::record& record, const wal::block_reference& block, page_bytes& page,
                                      record_counts& counts) {
  page_bytes image;
  if (auto restored = wal::restore_image(block.image, record.end, image); !restored)
    return differ(record, block, restored.error().detail);
  const page_kind kind = kind_of(image, block.relation.fork);
  ++counts.compared;
  if (kind == page_kind::visibility_map) ++report_.map_pages_compared;
  const page_bytes theirs = masked(image, kind, block.block, lsn_counts::no);
  const page_bytes mine = masked(page, kind, block.block, lsn_counts::no);
  if (mine == theirs) return;
  if (kind == page_kind::visibility_map && only_bits_ahead(mine, theirs)) {
    ++report_.map_bits_ahead;
    return;
  }
  // The first image of such a page has the content that the WAL left out; its LSN is from before the record.
  if (lost_maps_.contains({block.relation, block.block}) && only_bits_ahead(theirs, mine)) {
    ++report_.map_pages_left_out;
    lost_maps_.erase({block.relation, block.block});
    const core::lsn lsn = page::slotted_page(page).lsn();
    page = image;
    page::slotted_page(page).set_lsn(lsn);
    return;
  }
  ++counts.different;
  differ(record, block, describe_difference(mine, theirs));
  page = image;
}

// Takes the check image of a block with unknown content, if the record has one.
void wal_verifier::learn(const wal::record& record, const wal::block_reference& block, record_counts& counts) {
  ++counts.unknown;
  if (!block.has_image) return;
  page_bytes* page = pages_.make(block.relation, block.block);
  if (page == nullptr) return;
  if (wal::restore_image(block.image, record.end, *page))
    ++report_.pages_learned;
  else
    pages_.drop(block.relation, block.block);
}

void wal_verifier::clear_visibility(const wal::record& record) {
  const auto clears = redo::visibility_clears(record);
  for (std::size_t i = 0; i < clears.count; ++i) {
    relation_fork map = clears.clears[i].heap;
    map.fork = fork::vm;
    const block_number heap_block = clears.clears[i].heap_block;
    if (page_bytes* page = pages_.find(map, redo::vm_block_of(heap_block)))
      redo::clear_visibility(*page, heap_block, clears.clears[i].bits);
  }
}

void wal_verifier::follow_files(const wal::record& record) {
  switch (record.manager) {
    case resource_manager::transaction: return follow_transaction(record);
    case resource_manager::storage: return follow_storage(record);
    case resource_manager::database: return follow_database(record);
    case resource_manager::xlog: {
      const auto change = records::decode_xlog(record, options_.context.major);
      if (!change) return;
      if (const auto* parameters = std::get_if<records::parameters_changed>(&*change); parameters != nullptr)
        options_.context.hints_are_logged = options_.context.hints_are_logged || parameters->wal_log_hints;
      return;
    }
    default: return;
  }
}

void wal_verifier::follow_transaction(const wal::record& record) {
  switch (records::transaction_operation_of(record)) {
    case records::transaction_operation::commit:
    case records::transaction_operation::abort:
    case records::transaction_operation::commit_prepared:
    case records::transaction_operation::abort_prepared: break;
    default: return;
  }
  const auto end = records::decode_transaction_end(record, options_.context.major);
  if (!end)
    return report_.found(
        {record.start, record.end, wal::describe(record.manager, record.info), {}, 0, end.error().detail});
  for (std::size_t i = 0; i < end->dropped.size(); ++i) {
    relation_fork dropped = end->dropped[i];
    for (const fork each : all_forks) {
      dropped.fork = each;
      pages_.drop_relation(dropped);
    }
  }
}

void wal_verifier::follow_storage(const wal::record& record) {
  const auto change = records::decode_storage(record);
  if (!change) return;
  if (const auto* created = std::get_if<records::relation_create>(&*change)) {
    note_database(created->relation);
    return pages_.drop_relation(created->relation);
  }
  const auto& cut = std::get<records::relation_truncate>(*change);
  relation_fork relation = cut.relation;
  if (cut.main) pages_.truncate(relation, cut.new_blocks);
  if (cut.fsm) {
    relation.fork = fork::fsm;
    pages_.drop_relation(relation);
  }
  if (cut.vm) {
    relation.fork = fork::vm;
    const block_number last = redo::vm_block_of(cut.new_blocks);
    if (page_bytes* page = pages_.find(relation, last)) redo::truncate_visibility_map(*page, cut.new_blocks);
    const bool whole = cut.new_blocks % redo::heap_blocks_per_vm_page == 0;
    pages_.truncate(relation, whole ? last : last + 1);
  }
}

void wal_verifier::follow_database(const wal::record& record) {
  const auto change = records::decode_database(record, options_.context.major);
  if (!change) return;
  if (const auto* copy = std::get_if<records::database_copy>(&*change)) {
    databases_.emplace(copy->tablespace, copy->database);
    pages_.drop_database(copy->tablespace, copy->database);
    if (!pages_.copy_database(copy->source_tablespace, copy->source_database, copy->tablespace, copy->database))
      ++report_.pages_beyond_memory;
    // The copy lacks the same maps as its source.
    std::set<std::pair<relation_fork, block_number>> copied;
    for (auto [relation, block] : lost_maps_) {
      if (relation.tablespace != copy->source_tablespace || relation.database != copy->source_database) continue;
      relation.tablespace = copy->tablespace;
      relation.database = copy->database;
      copied.emplace(relation, block);
    }
    lost_maps_.merge(copied);
  } else if (const auto* drop = std::get_if<records::database_drop>(&*change)) {
    for (std::size_t i = 0; i < drop->tablespaces.size(); ++i)
      pages_.drop_database(drop->tablespaces[i], drop->database);
  }
}

void wal_verifier::differ(const wal::record& record, const wal::block_reference& block, std::string what) {
  report_.found({record.start, record.end, wal::describe(record.manager, record.info, options_.context.major),
                 block.relation, block.block, std::move(what)});
}

// A file that a crash left of a relation whose first record was not yet on disk, or of a database whose files were
// being copied: its record comes last, and no server removes the files.
bool wal_verifier::is_left_behind(const relation_fork& relation, core::lsn page) const {
  if (traces_.restarted() && !databases_.contains({relation.tablespace, relation.database})) return true;
  if (!traces_.left_behind(relation, page)) return false;
  return std::none_of(std::begin(all_forks), std::end(all_forks), [&](fork each) {
    relation_fork sibling = relation;
    sibling.fork = each;
    return pages_.has(sibling);
  });
}

bool wal_verifier::is_explained(const relation_fork& relation, block_number block, const page_bytes& ours,
                                const page_bytes& theirs) const {
  const page_kind kind = kind_of(theirs, relation.fork);
  if (kind == page_kind::sequence) return true;  // WAL is up to 32 values ahead
  if (kind == page_kind::spgist && is_unlogged_spgist(theirs)) return true;
  if (traces_.abandoned(relation, lsn_of(theirs))) return true;
  if (kind == page_kind::visibility_map) {
    const page_bytes mine = masked(ours, kind, block, lsn_counts::yes);
    const page_bytes other = masked(theirs, kind, block, lsn_counts::yes);
    if (lost_maps_.contains({relation, block}) && only_bits_ahead(other, mine)) return true;
    // Bits are cleared before their record is on disk, and a crash loses that record alone.
    if (traces_.restarted() && only_bits_ahead(mine, other)) return true;
  }
  if (masked(ours, kind, block, lsn_counts::no) != masked(theirs, kind, block, lsn_counts::no)) return false;
  return is_written_directly(theirs) || traces_.lost_hint(relation, block, lsn_of(ours), lsn_of(theirs));
}

void wal_verifier::compare_with_file(const relation_fork& relation, block_number block, core::bytes_view page) {
  core::check(page.size() == page_size, "a page has 8192 bytes");
  if (relation.fork == fork::fsm) return;  // hardly logged, and rebuilt by VACUUM
  page_bytes theirs;
  std::copy(page.begin(), page.end(), theirs.begin());
  const page_bytes* ours = pages_.find(relation, block);
  if (ours == nullptr) {
    // Postgres extends files with pages of zeros before it logs their content.
    const bool unlogged = options_.has_base && !all_zero(theirs) && !is_blank_map(theirs, relation.fork);
    if (!unlogged) {
      ++report_.file_pages_unknown;
    } else if (traces_.abandoned(relation, lsn_of(theirs)) || is_left_behind(relation, lsn_of(theirs))) {
      ++report_.file_pages_explained;
    } else {
      report_.found({{}, {}, "file", relation, block, "a page without WAL"});
    }
    return;
  }
  const page_kind kind = kind_of(theirs, relation.fork);
  const page_bytes mine = masked(*ours, kind, block, lsn_counts::yes);
  const page_bytes other = masked(theirs, kind, block, lsn_counts::yes);
  ++report_.file_pages_compared;
  if (mine == other) return;
  if (is_explained(relation, block, *ours, theirs)) {
    ++report_.file_pages_explained;
    return;
  }
  report_.found({{}, {}, "file", relation, block, describe_difference(mine, other)});
}

}  // namespace strata::pg::verify
