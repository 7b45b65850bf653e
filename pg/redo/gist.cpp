// Resource manager GiST (Postgres: src/include/access/gistxlog.h). In each function: what the record does, then block
// by block.

#include "pg/redo/index_tuple.hpp"
#include "pg/redo/item_list.hpp"

namespace strata::pg::redo {

namespace {

using page::item_number;

/// Numbers of Postgres, never renumber.
enum class gist_operation : std::uint8_t {
  page_update = 0x00,
  remove = 0x10,
  page_reuse = 0x20,
  page_split = 0x30,
  page_delete = 0x60,
  assign_lsn = 0x70,
};

/// The special area: node sequence number (two words, high first), right neighbour, flags, id of the page kind.
/// Numbers of Postgres, never renumber.
namespace gist_special {
constexpr std::size_t size = 16, sequence_high = 0, sequence_low = 4, right = 8, flags = 12, id = 14;
constexpr std::uint16_t id_value = 0xFF81;
}  // namespace gist_special
enum gist_flag : std::uint16_t {
  gist_leaf = 0x01,
  gist_deleted = 0x02,
  gist_tuples_deleted = 0x04,
  gist_follow_right = 0x08,
  gist_has_garbage = 0x10,
};
constexpr block_number root_block = 0;

page::window special(const action& of) { return of.page.special_area(gist_special::size); }

void change_flags(action& of, std::uint16_t clear, std::uint16_t set) {
  page::window area = special(of);
  area.store(gist_special::flags,
             static_cast<std::uint16_t>((area.load<std::uint16_t>(gist_special::flags) & ~clear) | set));
}

void set_sequence(action& of, std::uint64_t sequence) {
  page::window area = special(of);
  area.store(gist_special::sequence_high, static_cast<std::uint32_t>(sequence >> 32));
  area.store(gist_special::sequence_low, static_cast<std::uint32_t>(sequence));
}

/// The parent has both halves of a split child now: searches need not follow the link to the right any more.
void finish_left_child(action& of) {
  set_sequence(of, of.end.value);
  change_flags(of, gist_follow_right, 0);
}

/// Everything left of a payload, after the last item.
void append_tuples(action& of, page::cursor& from, std::size_t count) {
  for (; count > 0; --count)
    of.page.insert(static_cast<item_number>(of.page.item_count() + 1), index_tuple::take(from));
  from.require_finished();
}

void remove_items(action& of, const item_list& removed) {
  require(removed.size() <= of.page.item_count(), "more items to remove than there are");
  of.page.remove_all(removed.numbers());
}

// One item for one item keeps its place; anything else removes first and appends then.
void redo_page_update(action& of) {
  if (of.record.block_id == 1) return finish_left_child(of);
  require(of.record.block_id == 0, "unexpected block reference");
  page::cursor main = of.main_data();
  const std::size_t removed_count = main.take<std::uint16_t>();
  const std::size_t added_count = main.take<std::uint16_t>();
  main.require_finished();

  page::cursor data = of.data();
  const item_list removed(data, removed_count);
  if (removed_count == 1 && added_count == 1) {
    of.page.overwrite(removed[0], index_tuple::take(data));
    return data.require_finished();
  }
  if (removed_count > 0) {
    remove_items(of, removed);
    if (special(of).load<std::uint16_t>(gist_special::flags) & gist_leaf) change_flags(of, 0, gist_tuples_deleted);
  }
  append_tuples(of, data, added_count);
}

// Entries that scans had marked as dead are removed for an insert.
void redo_delete(action& of) {
  require(of.record.block_id == 0, "unexpected block reference");
  page::cursor main = of.main_data();
  main.skip(sizeof(transaction_id));
  const std::size_t removed_count = main.take<std::uint16_t>();
  if (of.context.major >= major_version::v16) main.skip(2);  // whether the table is a catalog, padded
  const item_list removed(main, removed_count);
  main.require_finished();
  remove_items(of, removed);
  change_flags(of, gist_has_garbage, gist_tuples_deleted);
}

struct split_record {
  block_number right = 0;      ///< neighbour of the page before the split
  std::uint64_t sequence = 0;  ///< of the page before the split
  bool leaf = false;
  std::size_t pages = 0;
  bool mark_follow_right = false;

  static split_record read(page::cursor main) {
    split_record read;
    read.right = main.take<block_number>();
    main.skip(4);
    read.sequence = main.take<std::uint64_t>();
    read.leaf = main.take<std::uint8_t>() != 0;
    main.skip(1);
    read.pages = main.take<std::uint16_t>();
    read.mark_follow_right = main.take<std::uint8_t>() != 0;
    return read;
  }
};

// The old page becomes the first of a row of new ones, each with its own reference. When the root splits, the first
// listed page is the new root, over the others, and belongs to no row.
void redo_page_split(action& of) {
  if (of.record.block_id == 0) return finish_left_child(of);
  const split_record split = split_record::read(of.main_data());
  require(of.record.block_id <= split.pages, "unexpected block reference");
  const bool is_last = of.record.block_id == split.pages;
  require(is_last || of.record.next().present, "block reference is missing");
  const bool is_root = of.record.block() == root_block;
  const bool root_was_split = of.block_of(1) == root_block;

  page::cursor data = of.data();
  const auto count = data.take<std::uint32_t>();
  require(count <= data.left() / index_tuple::header_size, "more index tuples than fit the payload");
  of.init_page(gist_special::size);
  append_tuples(of, data, count);

  page::window area = special(of);
  const bool follow_right = split.mark_follow_right && !is_last && !root_was_split;
  area.store(gist_special::right, is_root ? invalid_block : is_last ? split.right : of.record.next().block);
  area.store(gist_special::flags, static_cast<std::uint16_t>((split.leaf && !is_root ? gist_leaf : 0) |
                                                             (follow_right ? gist_follow_right : 0)));
  area.store(gist_special::id, gist_special::id_value);
  set_sequence(of, split.sequence);
}

// VACUUM removes an empty leaf from the tree; the page stores the xid since which no scan can be on the way to it.
void redo_page_delete(action& of) {
  page::cursor main = of.main_data();
  const auto deleted_by = main.take<std::uint64_t>();
  const auto at_parent = main.take<item_number>();
  main.require_finished();
  if (of.record.block_id == 1) return of.page.remove(at_parent);
  require(of.record.block_id == 0, "unexpected block reference");
  constexpr std::size_t lower = page::header_size + sizeof deleted_by;
  require(lower <= of.page.upper(), "no room on the page");
  change_flags(of, 0, gist_deleted);
  of.page.set_lower(lower);
  of.page.body().store(0, deleted_by);
}

}  // namespace

// The primary finishes the child after it has logged the page, so that an image has it unfinished.
void finish_gist_image(action& of) {
  const auto operation = static_cast<gist_operation>(of.operation());
  const bool is_left_child = (operation == gist_operation::page_update && of.record.block_id == 1) ||
                             (operation == gist_operation::page_split && of.record.block_id == 0);
  if (is_left_child) finish_left_child(of);
}

void redo_gist(action& of) {
  switch (static_cast<gist_operation>(of.operation())) {
    case gist_operation::page_update: return redo_page_update(of);
    case gist_operation::remove: return redo_delete(of);
    case gist_operation::page_split: return redo_page_split(of);
    case gist_operation::page_delete: return redo_page_delete(of);
    case gist_operation::page_reuse:
    case gist_operation::assign_lsn: break;
  }
  throw not_written();
}

}  // namespace strata::pg::redo
