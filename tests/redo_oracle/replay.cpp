#include "tests/redo_oracle/replay.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "core/bytes.hpp"
#include "pg/files/control_file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/page/checksum.hpp"
#include "pg/page/page.hpp"
#include "pg/records/storage.hpp"
#include "pg/records/transaction.hpp"
#include "pg/redo/visibility_map.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::tests {

using namespace pg::verify;

namespace {

namespace fs = std::filesystem;
using pg::wal::resource_manager;
constexpr auto major = pg::major_version::v15;

template <class T>
T must(core::result<T> got) {
  if (!got) throw std::runtime_error(core::to_string(got.error()));
  return *std::move(got);
}

core::bytes content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class Use>
void for_each_relation_file(const fs::path& data_directory, Use use) {
  for (const auto& entry : fs::recursive_directory_iterator(data_directory)) {
    if (!entry.is_regular_file()) continue;
    const auto path = pg::files::classify(fs::relative(entry.path(), data_directory).string(), major);
    if (path.kind == pg::files::path_kind::relation) use(path.relation, content_of(entry.path()));
  }
}

void compare_with_image(const pg::wal::record& record, const pg::wal::block_reference& block, const page_bytes& ours,
                        oracle_report& report) {
  page_bytes image;
  if (auto restored = pg::wal::restore_image(block.image, record.end, image); !restored)
    return report.differ(core::to_string(restored.error()));
  const page_kind kind = kind_of(image, block.relation.fork);
  const std::string name = pg::wal::describe(record.manager, record.info);
  ++report.by_record[name].compared;
  if (kind == page_kind::visibility_map) ++report.visibility_pages_compared;
  const page_bytes theirs = masked(image, kind, block.block, lsn_counts::no);
  const page_bytes mine = masked(ours, kind, block.block, lsn_counts::no);
  if (mine != theirs)
    report.differ(name + " at " + core::to_string(record.start) + ", " + pg::to_string(block.relation) + " block " +
                  std::to_string(block.block) + ": " + describe_difference(mine, theirs));
}

}  // namespace

void oracle_report::differ(std::string what) {
  ++difference_count;
  if (differences.size() < 30) differences.push_back(std::move(what));
}

std::uint64_t oracle_report::compared() const {
  std::uint64_t sum = 0;
  for (const auto& [name, counts] : by_record) sum += counts.compared;
  return sum;
}

std::string oracle_report::table() const {
  std::ostringstream text;
  text << "record type: blocks compared / changed by redo / restored from images\n";
  for (const auto& [name, counts] : by_record)
    text << "  " << name << ": " << counts.compared << " / " << counts.applied << " / " << counts.images << '\n';
  text << "  all: " << compared() << " compared in " << records << " records, " << visibility_pages_compared
       << " of them visibility map pages; " << difference_count << " differences\n";
  return text.str();
}

page_store::page_store(const fs::path& data_directory) {
  const auto control = must(pg::files::decode_control_file(content_of(data_directory / "global/pg_control")));
  start_ = control.checkpoint_copy.redo;
  context_ = {.major = control.major, .hints_are_logged = control.hints_are_logged()};
  for_each_relation_file(data_directory, [&](const pg::files::relation_file& file, const core::bytes& content) {
    for (std::size_t i = 0; (i + 1) * pg::page_size <= content.size(); ++i) {
      const auto block = static_cast<pg::block_number>(file.segment * pg::blocks_per_relation_segment + i);
      std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(i * pg::page_size), pg::page_size,
                  make(file.relation, block).begin());
    }
  });
}

page_bytes* page_store::find(const pg::relation_fork& relation, pg::block_number block) {
  const auto blocks = pages_.find(relation);
  if (blocks == pages_.end()) return nullptr;
  const auto page = blocks->second.find(block);
  return page == blocks->second.end() ? nullptr : page->second.get();
}

page_bytes& page_store::make(const pg::relation_fork& relation, pg::block_number block) {
  auto& page = pages_[relation][block];
  if (!page) page = std::make_unique<page_bytes>();
  return *page;
}

void page_store::replay(const fs::path& data_directory, oracle_report& report) {
  constexpr std::uint64_t segment_size = pg::default_wal_segment_size;
  pg::wal::stream_decoder decoder({.start = start_, .major = context_.major});
  auto record = std::make_unique<pg::wal::record>();
  for (std::uint64_t segment = start_.value / segment_size;; ++segment) {
    char name[25];
    std::snprintf(name, sizeof name, "00000001%08X%08X", static_cast<unsigned>(segment >> 8),
                  static_cast<unsigned>(segment & 0xFF));
    if (!fs::exists(data_directory / "pg_wal" / name)) return;
    const core::bytes content = content_of(data_directory / "pg_wal" / name);
    decoder.feed(core::bytes_view(content).subspan(decoder.position().value - segment * segment_size));
    while (true) {
      auto framed = decoder.next();
      // WAL ends where the next record fails its checks; the caller sees by the files whether it was the end.
      if (!framed) return;
      if (!*framed) break;
      const pg::wal::framed_record& found = **framed;
      if (auto parsed = pg::wal::parse_record(found.bytes, found.start, found.end, context_.major, *record); !parsed)
        throw std::runtime_error(core::to_string(parsed.error()));
      replay_record(*record, report);
    }
  }
}

void page_store::replay_record(const pg::wal::record& record, oracle_report& report) {
  ++report.records;
  if (record.manager == resource_manager::transaction) return drop_relations(record);
  if (record.manager == resource_manager::storage) return truncate_relation(record);
  if (record.manager == resource_manager::database) throw std::runtime_error("the workload must not make databases");

  // Before the blocks are compared: Postgres clears the map before it makes the images.
  const auto clears = pg::redo::visibility_clears(record);
  for (std::size_t i = 0; i < clears.count; ++i) {
    pg::relation_fork map = clears.clears[i].heap;
    map.fork = pg::fork::vm;
    const auto heap_block = clears.clears[i].heap_block;
    if (page_bytes* page = find(map, pg::redo::vm_block_of(heap_block)))
      pg::redo::clear_visibility(*page, heap_block, clears.clears[i].bits);
  }
  for (std::size_t i = 0; i < record.block_count; ++i) replay_block(record, i, report);
}

void page_store::replay_block(const pg::wal::record& record, std::size_t index, oracle_report& report) {
  const pg::wal::block_reference& block = record.blocks[index];
  const pg::redo::block_record cut = pg::redo::slice(record, index);
  core::bytes stored(pg::redo::encoded_size(cut));
  pg::redo::encode(cut, stored.data());
  const auto decoded = must(pg::redo::decode_block_record(stored));

  page_bytes& page = make(block.relation, block.block);
  if (before_each_) before_each_(stored, page, record.end, context_);
  if (auto applied = pg::redo::apply(decoded, record.end, context_, page); !applied)
    return report.differ(core::to_string(applied.error()) + " (" + pg::to_string(block.relation) + ")");
  auto& counts = report.by_record[pg::wal::describe(record.manager, record.info)];
  ++(decoded.has_image ? counts.images : counts.applied);
  if (block.has_image && !block.apply_image) compare_with_image(record, block, page, report);
}

void page_store::drop_relations(const pg::wal::record& record) {
  switch (pg::records::transaction_operation_of(record)) {
    case pg::records::transaction_operation::commit:
    case pg::records::transaction_operation::abort:
    case pg::records::transaction_operation::commit_prepared:
    case pg::records::transaction_operation::abort_prepared: break;
    default: return;
  }
  const auto end = must(pg::records::decode_transaction_end(record, context_.major));
  for (std::size_t i = 0; i < end.dropped.size(); ++i) {
    pg::relation_fork dropped = end.dropped[i];
    for (const auto in_fork : {pg::fork::main, pg::fork::fsm, pg::fork::vm, pg::fork::init}) {
      dropped.fork = in_fork;
      pages_.erase(dropped);
    }
  }
}

void page_store::truncate_relation(const pg::wal::record& record) {
  const auto change = must(pg::records::decode_storage(record));
  const auto* cut = std::get_if<pg::records::relation_truncate>(&change);
  if (cut == nullptr) return;
  if (cut->main) {
    auto& blocks = pages_[cut->relation];
    blocks.erase(blocks.lower_bound(cut->new_blocks), blocks.end());
  }
  if (cut->vm) {
    pg::relation_fork map = cut->relation;
    map.fork = pg::fork::vm;
    const auto last = pg::redo::vm_block_of(cut->new_blocks);
    if (page_bytes* page = find(map, last)) pg::redo::truncate_visibility_map(*page, cut->new_blocks);
    auto& blocks = pages_[map];
    const bool whole = cut->new_blocks % pg::redo::heap_blocks_per_vm_page == 0;
    blocks.erase(blocks.lower_bound(whole ? last : last + 1), blocks.end());
  }
}

namespace {

// Postgres starts an empty SP-GiST page anew before it knows whether it will use it, and logs only the use.
bool prepared_without_wal(page_bytes& page, page_kind kind) {
  const pg::page::slotted_page view(page);
  return kind == page_kind::spgist && view.lsn().value == 0 && view.item_count() == 0;
}

}  // namespace

std::uint64_t page_store::compare_with_files(const fs::path& data_directory, oracle_report& report) const {
  std::uint64_t compared = 0;
  const bool checksums =
      must(pg::files::decode_control_file(content_of(data_directory / "global/pg_control"))).data_checksum_version != 0;
  for_each_relation_file(data_directory, [&](const pg::files::relation_file& file, const core::bytes& content) {
    if (file.relation.fork == pg::fork::fsm) return;  // rebuilt by VACUUM, not logged
    const auto blocks = pages_.find(file.relation);
    for (std::size_t i = 0; (i + 1) * pg::page_size <= content.size(); ++i) {
      page_bytes theirs;
      std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(i * pg::page_size), pg::page_size, theirs.begin());
      const auto block = static_cast<pg::block_number>(file.segment * pg::blocks_per_relation_segment + i);
      const std::string name = pg::to_string(file.relation) + " block " + std::to_string(block);
      if (checksums && !all_zero(theirs) &&
          pg::page::page_checksum(theirs, block) != core::load_le<std::uint16_t>(theirs.data() + 8))
        report.differ(name + ": checksum");
      const page_kind kind = kind_of(theirs, file.relation.fork);
      if (kind == page_kind::sequence) continue;  // WAL is up to 32 values ahead of the page
      if (prepared_without_wal(theirs, kind)) continue;
      const auto ours = blocks == pages_.end()
                            ? std::map<pg::block_number, std::unique_ptr<page_bytes>>::const_iterator{}
                            : blocks->second.find(block);
      ++compared;
      if (blocks == pages_.end() || ours == blocks->second.end()) {
        if (!all_zero(theirs)) report.differ(name + ": missing");
        continue;
      }
      const page_bytes mine = masked(*ours->second, kind, block, lsn_counts::yes);
      const page_bytes other = masked(theirs, kind, block, lsn_counts::yes);
      if (mine != other) report.differ("file " + name + ": " + describe_difference(mine, other));
    }
  });
  return compared;
}

}  // namespace strata::tests
