// Resource manager Btree (Postgres: src/include/access/nbtxlog.h). In each function: what the record does, then block
// by block.

#include <array>

#include "pg/redo/btree_format.hpp"

namespace strata::pg::redo {

namespace {

using page::item_number;

enum class btree_operation : std::uint8_t {
  insert_leaf = 0x00,
  insert_upper = 0x10,
  insert_meta = 0x20,
  split_left = 0x30,   ///< the new item goes to the left half
  split_right = 0x40,  ///< the new item goes to the right half
  insert_posting = 0x50,
  dedup = 0x60,
  remove = 0x70,
  unlink = 0x80,
  unlink_meta = 0x90,
  new_root = 0xA0,
  mark_half_dead = 0xB0,
  vacuum = 0xC0,
  reuse_page = 0xD0,
  meta_cleanup = 0xE0,
};

struct page_links {
  block_number previous = 0;
  block_number next = 0;
  std::uint32_t level = 0;
  std::uint16_t flags = 0;
};

page::window special(const action& of) { return of.page.special_area(links::size); }

void change_flags(action& of, std::uint16_t clear, std::uint16_t set = 0) {
  page::window area = special(of);
  area.store(links::flags, static_cast<std::uint16_t>((area.load<std::uint16_t>(links::flags) & ~clear) | set));
}

void start_page(action& of, const page_links& with) {
  of.init_page(links::size);
  page::window area = special(of);
  area.store(links::previous, with.previous);
  area.store(links::next, with.next);
  area.store(links::level, with.level);
  area.store(links::flags, with.flags);
}

std::uint16_t leaf_flag(std::uint32_t level) { return level == 0 ? btree_leaf : 0; }

bool is_rightmost(const action& of) { return special(of).load<block_number>(links::next) == 0; }

// A page that has a right neighbour keeps its high key in the first item.
item_number first_data_item(const action& of) { return is_rightmost(of) ? 1 : 2; }

// All items of a page in one piece, in reverse order.
void restore_items(action& of, core::bytes_view items) {
  std::vector<core::bytes_view> found;
  while (!items.empty()) {
    const std::size_t size = page::align8(index_tuple::at_start_of(items).size());
    require(size <= items.size(), "payload ends inside an index tuple");
    found.push_back(items.first(size));
    items = items.subspan(size);
  }
  for (std::size_t i = 0; i < found.size(); ++i)
    of.page.insert(static_cast<item_number>(i + 1), found[found.size() - 1 - i]);
}

void write_meta(action& of) {
  constexpr std::uint32_t magic = 0x053162;
  constexpr double heap_tuples_unknown = -1.0;
  constexpr std::size_t words = 6, words_at = 4, heap_tuples_at = 32, all_equal_image_at = 40, end = 48;
  page::cursor data = of.data();
  const core::bytes_view fields = data.take_bytes(words * sizeof(std::uint32_t));
  const auto all_equal_image = data.take<std::uint8_t>();

  start_page(of, {.flags = btree_meta});
  page::window meta = of.page.body();
  meta.store(0, magic);
  meta.write(words_at, fields);
  meta.store(heap_tuples_at, heap_tuples_unknown);
  meta.store(all_equal_image_at, all_equal_image);
  of.page.set_lower(page::header_size + end);
}

void redo_insert(action& of, bool into_posting) {
  const auto at = of.main_data().take<std::uint16_t>();
  switch (of.record.block_id) {
    case 0: {
      if (!into_posting) return of.page.insert(at, of.record.data);
      page::cursor data = of.data();
      const std::size_t place = data.take<std::uint16_t>();
      const std::size_t item_size = data.left();
      require(at > 1, "no item before the new one");
      page::window posting = of.page.item(static_cast<item_number>(at - 1));
      const auto swapped = index_tuple::split_posting(posting.view(), data.take_rest(), place);
      posting.write(0, swapped.posting);
      of.page.insert(at, item_size).write(0, swapped.new_tuple);
      return;
    }
    case 1: return change_flags(of, btree_incomplete_split);
    case 2: return write_meta(of);
    default: throw page::malformed("unexpected block reference");
  }
}

struct split_record {
  std::uint32_t level = 0;
  item_number first_right = 0;
  item_number new_at = 0;
  std::uint16_t posting_place = 0;  ///< 0: the new item does not go into a posting list
  bool new_on_left = false;

  static split_record read(page::cursor main, bool new_on_left) {
    split_record read;
    read.level = main.take<std::uint32_t>();
    read.first_right = main.take<std::uint16_t>();
    read.new_at = main.take<std::uint16_t>();
    read.posting_place = main.take<std::uint16_t>();
    read.new_on_left = new_on_left;
    return read;
  }
};

core::bytes_view take_aligned_tuple(page::cursor& from) {
  page::cursor ahead = from;
  const std::size_t size = index_tuple::at_start_of(ahead.take_rest()).size();
  return from.take_bytes(page::align8(size));
}

// The left half is rebuilt beside the page: high key, then the old items before first_right, among them the new one.
void split_left_half(action& of, const split_record& split) {
  page::cursor data = of.data();
  core::bytes_view new_item;
  core::bytes new_posting, swapped_item;
  item_number posting_at = 0;
  if (split.new_on_left || split.posting_place != 0) new_item = take_aligned_tuple(data);
  if (split.posting_place != 0) {
    require(split.new_at > 1, "no item before the new one");
    posting_at = static_cast<item_number>(split.new_at - 1);
    auto swapped = index_tuple::split_posting(of.page.item(posting_at).view(), new_item, split.posting_place);
    new_posting = std::move(swapped.posting);
    swapped_item = std::move(swapped.new_tuple);
    swapped_item.resize(page::align8(swapped_item.size()));
    new_item = swapped_item;
  }
  const core::bytes_view high_key = take_aligned_tuple(data);

  std::array<std::uint8_t, page_size> beside;
  page::slotted_page left(beside);
  left.init(links::size);
  page::window left_special = left.special_area(links::size);
  left_special.write(0, special(of).part(0, links::size).view());
  item_number end = 1;
  left.insert(end++, high_key);
  item_number at = first_data_item(of);
  for (; at < split.first_right; ++at) {
    if (at == posting_at) {
      left.insert(end++, new_posting);
      continue;
    }
    if (split.new_on_left && at == split.new_at) left.insert(end++, new_item);
    left.insert(end++, of.page.item(at).view());
  }
  if (split.new_on_left && at == split.new_at) left.insert(end++, new_item);

  left_special.store(links::flags, static_cast<std::uint16_t>(btree_incomplete_split | leaf_flag(split.level)));
  left_special.store(links::next, of.block_of(1));
  left_special.store<std::uint16_t>(links::cycle_id, 0);
  of.page.replace_with(left);
}

void redo_split(action& of, bool new_on_left) {
  const split_record split = split_record::read(of.main_data(), new_on_left);
  switch (of.record.block_id) {
    case 0: return split_left_half(of, split);
    case 1:
      start_page(of, {.previous = of.block_of(0),
                      .next = of.has_block(2) ? of.block_of(2) : 0,
                      .level = split.level,
                      .flags = leaf_flag(split.level)});
      return restore_items(of, of.record.data);
    case 2: return special(of).store(links::previous, of.block_of(1));
    case 3: return change_flags(of, btree_incomplete_split);
    default: throw page::malformed("unexpected block reference");
  }
}

// Merges runs of items with equal keys into one item with a posting list each; other items are copied.
void redo_dedup(action& of) {
  const std::size_t runs = of.main_data().take<std::uint16_t>();
  page::cursor data = of.data();
  require(data.left() == runs * 4, "payload does not match the number of runs");
  item_number run_at = 0, run_length = 0;
  const auto next_run = [&] {
    run_at = data.left() > 0 ? data.take<std::uint16_t>() : item_number{0};
    run_length = run_at != 0 ? data.take<std::uint16_t>() : item_number{0};
  };

  std::array<std::uint8_t, page_size> beside;
  page::slotted_page merged(beside);
  merged.init(links::size);
  merged.special_area(links::size).write(0, special(of).part(0, links::size).view());
  item_number end = 1;
  item_number at = first_data_item(of);
  if (at == 2) merged.insert(end++, of.page.item(1).view());

  const item_number last = of.page.item_count();
  next_run();
  while (at <= last) {
    if (at != run_at) {
      merged.insert(end++, index_item(of.page, at++));
      continue;
    }
    require(run_length >= 1 && run_length <= last - at + 1, "run of items outside the page");
    const core::bytes_view key = index_tuple::split(index_item(of.page, at)).key;
    core::bytes heap_tids;
    for (item_number i = 0; i < run_length; ++i)
      core::append(heap_tids, index_tuple::split(index_item(of.page, at++)).heap_tids);
    merged.insert(end++, index_tuple::join(key, heap_tids));
    next_run();
  }
  require(run_at == 0, "run of items outside the page");
  of.page.replace_with(merged);
  change_flags(of, btree_has_garbage);
}

// An item without some entries of its posting list; `places` ascend.
core::bytes without_entries(core::bytes_view tuple, page::cursor& places, std::size_t count) {
  const auto old = index_tuple::split(tuple);
  require(old.posting, "item has no posting list");
  core::bytes kept;
  std::size_t next_place = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t place = places.take<std::uint16_t>();
    require(place >= next_place && place < old.count(), "place outside the posting list");
    core::append(kept, old.heap_tids.subspan(next_place * heap_tid_size, (place - next_place) * heap_tid_size));
    next_place = place + 1;
  }
  core::append(kept, old.heap_tids.subspan(next_place * heap_tid_size));
  return index_tuple::join(old.key, kept);
}

void remove_items(action& of, std::size_t removed_count, std::size_t updated_count) {
  page::cursor data = of.data();
  std::vector<item_number> removed(removed_count);
  const core::bytes_view removed_bytes = data.take_bytes(removed_count * sizeof(item_number));
  for (std::size_t i = 0; i < removed_count; ++i) removed[i] = core::load_le<item_number>(removed_bytes.data() + 2 * i);
  page::cursor updated(data.take_bytes(updated_count * sizeof(item_number)));

  for (std::size_t i = 0; i < updated_count; ++i) {
    const auto at = updated.take<item_number>();
    const std::size_t entries = data.take<std::uint16_t>();
    core::bytes shorter = without_entries(of.page.item(at).view(), data, entries);
    shorter.resize(page::align8(shorter.size()));
    of.page.overwrite(at, shorter);
  }
  data.require_finished();
  of.page.remove_all(removed);
  change_flags(of, btree_has_garbage);
}

void redo_delete(action& of) {
  page::cursor main = of.main_data();
  main.skip(sizeof(transaction_id));
  const std::size_t removed = main.take<std::uint16_t>();
  const std::size_t updated = main.take<std::uint16_t>();
  remove_items(of, removed, updated);
}

void redo_vacuum(action& of) {
  page::cursor main = of.main_data();
  const std::size_t removed = main.take<std::uint16_t>();
  const std::size_t updated = main.take<std::uint16_t>();
  remove_items(of, removed, updated);
  if (of.context.major >= major_version::v18) special(of).store<std::uint16_t>(links::cycle_id, 0);
}

// A half-dead leaf keeps one item: where the subtree to be deleted starts.
void start_half_dead_leaf(action& of, block_number previous, block_number next, block_number top) {
  constexpr std::uint16_t info = index_tuple::info_alternative_tid | index_tuple::header_size;
  start_page(of, {.previous = previous, .next = next, .flags = btree_half_dead | btree_leaf});
  std::array<std::uint8_t, index_tuple::header_size> item{};
  index_tuple::set_block(page::window(item), top);
  core::store_le(item.data() + index_tuple::info, info);
  of.page.insert(1, item);
}

void redo_mark_half_dead(action& of) {
  page::cursor main = of.main_data();
  const auto parent_at = main.take<item_number>();
  main.skip(2);
  main.skip(sizeof(block_number));
  const auto left = main.take<block_number>();
  const auto right = main.take<block_number>();
  const auto top = main.take<block_number>();
  if (of.record.block_id == 0) return start_half_dead_leaf(of, left, right, top);
  require(of.record.block_id == 1, "unexpected block reference");

  // The parent's item for the leaf gets the child of its right neighbour, which is then removed.
  require(parent_at < of.page.item_count(), "no such item on the page");
  const auto neighbour = static_cast<item_number>(parent_at + 1);
  index_tuple::set_block(of.page.item(parent_at), index_tuple::block(of.page.item(neighbour).view()));
  of.page.remove(neighbour);
}

void redo_unlink(action& of) {
  page::cursor main = of.main_data();
  const auto left = main.take<block_number>();
  const auto right = main.take<block_number>();
  const auto level = main.take<std::uint32_t>();
  main.skip(4);
  const auto safe_xid = main.take<std::uint64_t>();
  const auto leaf_left = main.take<block_number>();
  const auto leaf_right = main.take<block_number>();
  const auto leaf_top = main.take<block_number>();
  switch (of.record.block_id) {
    case 0: {
      const auto flags = static_cast<std::uint16_t>(btree_deleted | btree_has_full_xid | leaf_flag(level));
      start_page(of, {.previous = left, .next = right, .level = level, .flags = flags});
      of.page.body().store(0, safe_xid);
      return of.page.set_lower(page::header_size + sizeof safe_xid);
    }
    case 1: return special(of).store(links::next, right);
    case 2: return special(of).store(links::previous, left);
    case 3: return start_half_dead_leaf(of, leaf_left, leaf_right, leaf_top);
    case 4: return write_meta(of);
    default: throw page::malformed("unexpected block reference");
  }
}

void redo_new_root(action& of) {
  page::cursor main = of.main_data();
  main.skip(sizeof(block_number));
  const auto level = main.take<std::uint32_t>();
  switch (of.record.block_id) {
    case 0:
      start_page(of, {.level = level, .flags = static_cast<std::uint16_t>(btree_root | leaf_flag(level))});
      if (level > 0) restore_items(of, of.record.data);
      return;
    case 1: return change_flags(of, btree_incomplete_split);
    case 2: return write_meta(of);
    default: throw page::malformed("unexpected block reference");
  }
}

}  // namespace

void redo_btree(action& of) {
  switch (static_cast<btree_operation>(of.operation())) {
    case btree_operation::insert_leaf:
    case btree_operation::insert_upper:
    case btree_operation::insert_meta: return redo_insert(of, false);
    case btree_operation::insert_posting: return redo_insert(of, true);
    case btree_operation::split_left: return redo_split(of, true);
    case btree_operation::split_right: return redo_split(of, false);
    case btree_operation::dedup: return redo_dedup(of);
    case btree_operation::remove: return redo_delete(of);
    case btree_operation::vacuum: return redo_vacuum(of);
    case btree_operation::mark_half_dead: return redo_mark_half_dead(of);
    case btree_operation::unlink:
    case btree_operation::unlink_meta: return redo_unlink(of);
    case btree_operation::new_root: return redo_new_root(of);
    case btree_operation::meta_cleanup: return write_meta(of);
    case btree_operation::reuse_page: break;
  }
  throw not_written();
}

}  // namespace strata::pg::redo
