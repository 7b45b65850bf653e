// Resource manager Gin (Postgres: src/include/access/ginxlog.h), the same in all majors. Three kinds of pages: of the
// entry tree, whose items are index tuples; of posting trees, the heap tids of one frequent key, without line pointers;
// and of the pending list, which collects index tuples until they are moved into the trees.

#include <array>

#include "pg/redo/gin_format.hpp"

namespace strata::pg::redo {

namespace {

using page::item_number;

enum class gin_operation : std::uint8_t {
  create_posting_tree = 0x10,
  insert = 0x20,
  split = 0x30,
  vacuum_page = 0x40,
  delete_page = 0x50,
  update_meta = 0x60,
  insert_list_page = 0x70,
  delete_list_pages = 0x80,
  vacuum_data_leaf = 0x90,
};

/// Flags of an insert.
constexpr std::uint16_t insert_into_posting_tree = 0x01;
constexpr std::uint16_t insert_into_leaf = 0x02;

/// The change of one segment of a leaf of a posting tree.
enum class segment_action : std::uint8_t { remove = 1, insert_before = 2, replace = 3, add_heap_tids = 4 };

page::window special(const action& of) { return of.page.special_area(gin_links::size); }

std::uint16_t flags_of(const action& of) { return special(of).load<std::uint16_t>(gin_links::flags); }

void set_flags(action& of, std::uint16_t flags) { special(of).store(gin_links::flags, flags); }

void finish_split(action& of) { set_flags(of, static_cast<std::uint16_t>(flags_of(of) & ~gin_incomplete_split)); }

void set_right(action& of, block_number right) { special(of).store(gin_links::right, right); }

void set_count(action& of, std::size_t count) {
  special(of).store(gin_links::count, static_cast<std::uint16_t>(count));
}

void start_page(action& of, std::uint16_t flags) {
  of.init_page(gin_links::size);
  set_right(of, invalid_block);
  set_flags(of, flags);
}

// A block number in the format of posting trees and inserts: high half first.
block_number take_split_block(page::cursor& from) {
  const block_number high = from.take<std::uint16_t>();
  return high << 16 | from.take<std::uint16_t>();
}

void require_kind(const action& of, std::uint16_t kind) {
  constexpr std::uint16_t kinds = gin_data | gin_leaf | gin_deleted | gin_meta | gin_list;
  require((flags_of(of) & kinds) == kind, "page is of another kind");
}

// --- posting trees ---

void set_content_size(action& of, std::size_t size) {
  const std::size_t lower = page::header_size + posting_tree::content + size;
  require(lower <= of.page.upper(), "no room on the page");
  of.page.set_lower(lower);
}

void write_segments(action& of, core::bytes_view segments) {
  of.page.body().write(posting_tree::content, segments);
  set_content_size(of, segments.size());
}

core::bytes_view segments_of(const action& of) {
  constexpr std::size_t start = page::header_size + posting_tree::content;
  require(of.page.lower() >= start, "page of a posting tree without a right bound");
  return of.page.body().part(posting_tree::content, of.page.lower() - start).view();
}

// Room for the segments of a leaf, beside the page.
constexpr std::size_t segments_room = page_size - page::header_size - posting_tree::content - gin_links::size;
using segments_buffer = std::array<std::uint8_t, segments_room>;

// Leaves from before 9.4 hold plain heap tids, as many as their count; `lower` is unused there.
void compress_old_leaf(action& of) {
  const std::size_t count = special(of).load<std::uint16_t>(gin_links::count);
  const page::window tids = of.page.body().part(posting_tree::content, count * heap_tid_size);
  segments_buffer beside;
  posting_list::writer segments(beside);
  posting_list::compress(posting_list::plain_reader(tids.view()), segments);
  write_segments(of, segments.written());
  set_flags(of, flags_of(of) | gin_compressed);
  set_count(of, 0);
}

void recompress_leaf(action& of) {
  require_kind(of, gin_data | gin_leaf);
  if (!(flags_of(of) & gin_compressed)) compress_old_leaf(of);

  segments_buffer beside;
  posting_list::writer changed(beside);
  page::cursor old(segments_of(of));
  page::cursor data = of.data();
  std::size_t next_segment = 0;
  const auto take_old = [&] {
    ++next_segment;
    return posting_list::take_segment(old);
  };
  for (std::size_t actions = data.take<std::uint16_t>(); actions > 0; --actions) {
    const std::size_t segment = data.take<std::uint8_t>();
    const auto what = static_cast<segment_action>(data.take<std::uint8_t>());
    require(segment >= next_segment, "changes of segments are not in order");
    while (next_segment < segment) changed.copy(take_old());
    switch (what) {
      case segment_action::remove: take_old(); break;
      case segment_action::insert_before: changed.copy(posting_list::take_segment(data)); break;
      case segment_action::replace:
        changed.copy(posting_list::take_segment(data));
        take_old();
        break;
      case segment_action::add_heap_tids: {
        const std::size_t count = data.take<std::uint16_t>();
        const posting_list::plain_reader added(data.take_bytes(count * heap_tid_size));
        posting_list::merge(posting_list::reader(take_old()), added, changed);
        break;
      }
      default: throw page::malformed("unknown change of a segment");
    }
  }
  data.require_finished();
  changed.copy(old.take_rest());
  write_segments(of, changed.written());
}

void redo_create_posting_tree(action& of) {
  page::cursor main = of.main_data();
  const core::bytes_view segments = main.take_bytes(main.take<std::uint32_t>());
  main.require_finished();
  start_page(of, gin_data | gin_leaf | gin_compressed);
  write_segments(of, segments);
}

// The items from number `at` on of an inner page, and how many the page has.
struct inner_items {
  page::window from_at;
  std::size_t count;
  static inner_items from(const action& of, item_number at) {
    require_kind(of, gin_data);
    const std::size_t count = special(of).load<std::uint16_t>(gin_links::count);
    require(at >= 1 && at <= count, "no such item on the page");
    const page::window body = of.page.body();
    constexpr std::size_t size = posting_tree::item_size;
    const std::size_t start = posting_tree::content + (at - 1) * size;
    return {body.part(start, body.size() - start), count};
  }
  [[nodiscard]] core::bytes_view moving(item_number first, item_number at) const {
    return from_at.part((first - at) * posting_tree::item_size, (count + 1 - first) * posting_tree::item_size).view();
  }
};

void set_inner_count(action& of, std::size_t count) {
  set_count(of, count);
  set_content_size(of, count * posting_tree::item_size);
}

// A child was split: its item now leads to the right half, and a new one before it to the left half.
void insert_inner_item(action& of, block_number right_child) {
  page::cursor data = of.data();
  const auto at = data.take<item_number>();
  const core::bytes_view new_item = data.take_bytes(posting_tree::item_size);
  data.require_finished();
  inner_items items = inner_items::from(of, at);
  index_tuple::set_block(items.from_at, right_child);
  items.from_at.write(posting_tree::item_size, items.moving(at, at));
  items.from_at.write(0, new_item);
  set_inner_count(of, items.count + 1);
}

void remove_inner_item(action& of, item_number at) {
  inner_items items = inner_items::from(of, at);
  items.from_at.write(0, items.moving(static_cast<item_number>(at + 1), at));
  set_inner_count(of, items.count - 1);
}

void redo_delete_page(action& of) {
  page::cursor main = of.main_data();
  const auto parent_at = main.take<item_number>();
  main.skip(2);
  const auto right = main.take<block_number>();
  const auto deleter = main.take<transaction_id>();
  switch (of.record.block_id) {
    case 0:
      set_flags(of, flags_of(of) | gin_deleted);
      return of.page.set_prune_xid(deleter);  // no hint here: the page is reusable when no older transaction runs
    case 1: return remove_inner_item(of, parent_at);
    case 2: return set_right(of, right);
    default: throw page::malformed("unexpected block reference");
  }
}

// --- entry tree ---

void insert_entry(action& of, bool leaf, block_number right_child) {
  require_kind(of, leaf ? gin_leaf : 0);
  page::cursor data = of.data();
  const auto at = data.take<item_number>();
  const bool replaces = data.take<std::uint8_t>() != 0;
  data.skip(1);
  const core::bytes_view entry = index_tuple::take(data);
  data.require_finished();
  if (!leaf) {
    page::window parent = of.page.item(at);
    index_tuple::set_block(parent, right_child);
    parent.store<item_number>(index_tuple::tid_item, 0);
  }
  if (replaces) of.page.remove(at);
  of.page.insert(at, entry);
}

void redo_insert(action& of) {
  page::cursor main = of.main_data();
  const auto flags = main.take<std::uint16_t>();
  const bool leaf = flags & insert_into_leaf;
  block_number right_child = invalid_block;
  if (!leaf) {
    main.skip(sizeof(block_number));
    right_child = take_split_block(main);
  }
  if (of.record.block_id == 1) return finish_split(of);
  require(of.record.block_id == 0, "unexpected block reference");
  if (!(flags & insert_into_posting_tree)) return insert_entry(of, leaf, right_child);
  return leaf ? recompress_leaf(of) : insert_inner_item(of, right_child);
}

// Both halves, and the root if it was split, come as images.
void redo_split(action& of) {
  require(of.record.block_id == 3, "split page without an image");
  finish_split(of);
}

// --- pending list ---

constexpr std::size_t meta_size = 56;

void start_meta(action& of, core::bytes_view metadata) {
  start_page(of, gin_meta);
  of.page.body().write(0, metadata);
  of.page.set_lower(page::header_size + metadata.size());
}

void append_tuples(action& of, std::size_t count) {
  page::cursor data = of.data();
  for (; count > 0; --count)
    of.page.insert(static_cast<item_number>(of.page.item_count() + 1), index_tuple::take(data));
  data.require_finished();
}

// One heap row's tuples are appended to the end of the list, or a list of new pages is.
void redo_update_meta(action& of) {
  page::cursor main = of.main_data();
  main.skip(16);  // the relation, padded
  const core::bytes_view metadata = main.take_bytes(meta_size);
  const auto previous_tail = main.take<block_number>();
  const auto new_right = main.take<block_number>();
  const auto tuples = main.take<std::int32_t>();
  if (of.record.block_id == 0) return start_meta(of, metadata);
  require(of.record.block_id == 1, "unexpected block reference");
  if (tuples > 0) {
    require_kind(of, gin_list);
    append_tuples(of, static_cast<std::size_t>(tuples));
    return set_count(of, special(of).load<std::uint16_t>(gin_links::count) + std::size_t{1});
  }
  require(previous_tail != invalid_block, "unexpected block reference");
  set_right(of, new_right);
}

void redo_insert_list_page(action& of) {
  page::cursor main = of.main_data();
  const auto right = main.take<block_number>();
  const auto tuples = main.take<std::int32_t>();
  require(tuples >= 0, "negative number of tuples");
  start_page(of, gin_list);
  if (right == invalid_block) {
    // The last page of a row's tuples: only there the row is known to be complete.
    set_flags(of, gin_list | gin_list_full_row);
    set_count(of, 1);
  }
  set_right(of, right);
  append_tuples(of, static_cast<std::size_t>(tuples));
}

void redo_delete_list_pages(action& of) {
  page::cursor main = of.main_data();
  const core::bytes_view metadata = main.take_bytes(meta_size);
  const auto pages = main.take<std::int32_t>();
  if (of.record.block_id == 0) return start_meta(of, metadata);
  require(of.record.block_id <= pages, "unexpected block reference");
  start_page(of, gin_deleted);
}

}  // namespace

void redo_gin(action& of) {
  switch (static_cast<gin_operation>(of.operation())) {
    case gin_operation::create_posting_tree: return redo_create_posting_tree(of);
    case gin_operation::insert: return redo_insert(of);
    case gin_operation::split: return redo_split(of);
    case gin_operation::vacuum_page: throw page::malformed("vacuumed page without an image");
    case gin_operation::delete_page: return redo_delete_page(of);
    case gin_operation::update_meta: return redo_update_meta(of);
    case gin_operation::insert_list_page: return redo_insert_list_page(of);
    case gin_operation::delete_list_pages: return redo_delete_list_pages(of);
    case gin_operation::vacuum_data_leaf: return recompress_leaf(of);
  }
  throw not_written();
}

}  // namespace strata::pg::redo
