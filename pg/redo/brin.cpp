// Resource manager BRIN (Postgres: src/include/access/brin_xlog.h). In each function: what the record does, then block
// by block.

#include "pg/redo/action.hpp"

namespace strata::pg::redo {

namespace {

using page::item_number;

// Numbers of Postgres, never renumber.
enum class brin_operation : std::uint8_t {
  create = 0x00,
  insert = 0x10,
  update = 0x20,
  same_page = 0x30,
  extend_map = 0x40,
  desummarize = 0x50,
};
constexpr std::uint8_t operation_mask = 0x70;
constexpr std::uint8_t starts_page = 0x80;

// The special area.
constexpr std::size_t special_size = 8, type_at = 6;
enum class page_type : std::uint16_t { meta = 0xF091, map = 0xF092, regular = 0xF093 };

// The content of the meta page, from the end of the page header on.
namespace meta {
constexpr std::size_t magic = 0, version = 4, pages_per_range = 8, last_map_block = 12, size = 16;
}

// A page of the range map: where the summary of each range of heap blocks is.
constexpr std::size_t map_entry_size = 6, map_entries = 1360;

void start_page(action& of, page_type type) {
  of.init_page(special_size);
  of.page.special_area(special_size).store(type_at, type);
}

void require_type(const action& of, page_type type) {
  require(of.page.special_area(special_size).load<page_type>(type_at) == type, "wrong type of page");
}

[[noreturn]] void unexpected_block() { throw page::malformed("unexpected block reference"); }

void redo_create(action& of) {
  constexpr std::uint32_t magic = 0xA8109CFA;
  page::cursor main = of.main_data();
  const auto pages_per_range = main.take<std::uint32_t>();
  const auto version = main.take<std::uint16_t>();
  if (of.record.block_id != 0) unexpected_block();
  start_page(of, page_type::meta);
  page::window content = of.page.body();
  content.store(meta::magic, magic);
  content.store(meta::version, std::uint32_t{version});
  content.store(meta::pages_per_range, pages_per_range);
  content.store<block_number>(meta::last_map_block, 0);
  of.page.set_lower(page::header_size + meta::size);
}

struct map_entry {
  block_number block = invalid_block;
  item_number item = 0;
};

void set_map_entry(action& of, block_number heap_block, std::uint32_t pages_per_range, map_entry entry) {
  require(pages_per_range != 0, "range of no pages");
  require_type(of, page_type::map);
  const std::size_t at = heap_block / pages_per_range % map_entries * map_entry_size;
  page::window entries = of.page.body();
  entries.store(at, static_cast<std::uint16_t>(entry.block >> 16));
  entries.store(at + 2, static_cast<std::uint16_t>(entry.block));
  entries.store(at + 4, entry.item);
}

void add_summary(action& of, item_number at) {
  if (of.record.info & starts_page)
    start_page(of, page_type::regular);
  else
    require_type(of, page_type::regular);
  require(!of.record.data.empty(), "summary without data");
  of.page.add_in_slot(at, of.record.data.size()).write(0, of.record.data);
}

void remove_summary(action& of, item_number at) {
  require_type(of, page_type::regular);
  of.page.remove_keeping_slot(at);
}

// A new summary in block 0, and its entry in the map.
void redo_insert(action& of, page::cursor main) {
  const auto heap_block = main.take<block_number>();
  const auto pages_per_range = main.take<std::uint32_t>();
  const auto at = main.take<item_number>();
  switch (of.record.block_id) {
    case 0: return add_summary(of, at);
    case 1: return set_map_entry(of, heap_block, pages_per_range, {of.block_of(0), at});
    default: unexpected_block();
  }
}

// As an insert; the old summary, on another page, is removed.
void redo_update(action& of) {
  page::cursor main = of.main_data();
  const auto old_at = main.take<item_number>();
  main.skip(2);
  if (of.record.block_id == 2) return remove_summary(of, old_at);
  redo_insert(of, main);
}

void redo_same_page(action& of) {
  if (of.record.block_id != 0) unexpected_block();
  require_type(of, page_type::regular);
  of.page.overwrite(of.main_data().take<item_number>(), of.record.data);
}

void redo_extend_map(action& of) {
  const auto target = of.main_data().take<block_number>();
  switch (of.record.block_id) {
    case 0: {
      require_type(of, page_type::meta);
      of.page.body().store(meta::last_map_block, target);
      // Indexes created by old versions do not have it yet.
      constexpr std::size_t lower = page::header_size + meta::size;
      require(lower <= of.page.upper(), "damaged page header");
      return of.page.set_lower(lower);
    }
    case 1: return start_page(of, page_type::map);
    default: unexpected_block();
  }
}

void redo_desummarize(action& of) {
  page::cursor main = of.main_data();
  const auto pages_per_range = main.take<std::uint32_t>();
  const auto heap_block = main.take<block_number>();
  const auto at = main.take<item_number>();
  switch (of.record.block_id) {
    case 0: return set_map_entry(of, heap_block, pages_per_range, {});
    case 1: return remove_summary(of, at);
    default: unexpected_block();
  }
}

}  // namespace

void redo_brin(action& of) {
  switch (static_cast<brin_operation>(of.record.info & operation_mask)) {
    case brin_operation::create: return redo_create(of);
    case brin_operation::insert: return redo_insert(of, of.main_data());
    case brin_operation::update: return redo_update(of);
    case brin_operation::same_page: return redo_same_page(of);
    case brin_operation::extend_map: return redo_extend_map(of);
    case brin_operation::desummarize: return redo_desummarize(of);
    default: throw not_written();
  }
}

}  // namespace strata::pg::redo
