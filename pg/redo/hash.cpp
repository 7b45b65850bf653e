// Resource manager Hash (Postgres: src/include/access/hash_xlog.h). In each function: what the record does, then block
// by block.

#include <array>
#include <bit>
#include <span>

#include "pg/redo/index_tuple.hpp"
#include "pg/redo/item_list.hpp"

namespace strata::pg::redo {

namespace {

using page::item_number;

// Numbers of Postgres, never renumber.
enum class hash_operation : std::uint8_t {
  init_meta = 0x00,
  init_bitmap = 0x10,
  insert = 0x20,
  add_overflow = 0x30,
  split_allocate = 0x40,
  split_page = 0x50,
  split_complete = 0x60,
  move = 0x70,
  squeeze = 0x80,
  remove = 0x90,
  split_cleanup = 0xA0,
  update_meta = 0xB0,
  vacuum_one = 0xC0,
};

// The special area, with the kind of the page.
constexpr std::size_t special_size = 16;
constexpr std::size_t previous_at = 0, next_at = 4, bucket_at = 8, flags_at = 12, id_at = 14;
constexpr std::uint16_t hash_page_id = 0xFF80;
constexpr std::uint16_t unused_page = 0, overflow_page = 0x01, bitmap_page = 0x04, meta_page = 0x08;
constexpr std::uint16_t needs_split_cleanup = 0x40, has_dead_items = 0x80;

// The content of the meta page, from the end of the page header on.
namespace meta {
constexpr std::size_t magic = 0, version = 4, tuple_count = 8, fill_factor = 16, bucket_size = 18, bitmap_size = 20,
                      bitmap_shift = 22, max_bucket = 24, high_mask = 28, low_mask = 32, split_point = 36,
                      first_free = 40, map_count = 44, procedure = 48, spares = 52, maps = 444, size = 4544;
constexpr std::size_t spare_places = 98, map_places = 1024;
}  // namespace meta

page::window special(const action& of) {
  const page::window area = of.page.special_area(special_size);
  require(area.load<std::uint16_t>(id_at) == hash_page_id, "not a page of a hash index");
  return area;
}

void fill_special(action& of, block_number previous, std::uint32_t bucket, std::uint16_t flags) {
  page::window area = of.page.special_area(special_size);
  area.store(previous_at, previous);
  area.store(next_at, invalid_block);
  area.store(bucket_at, bucket);
  area.store(flags_at, flags);
  area.store(id_at, hash_page_id);
}

void start_page(action& of, block_number previous, std::uint32_t bucket, std::uint16_t flags) {
  of.init_page(special_size);
  fill_special(of, previous, bucket, flags);
}

// Unlike other new pages, a freed one is not announced.
void free_page(action& of) {
  of.page.init(special_size);
  fill_special(of, invalid_block, invalid_block, unused_page);
}

void drop_flag(action& of, std::uint16_t flag) {
  page::window area = special(of);
  area.store(flags_at, static_cast<std::uint16_t>(area.load<std::uint16_t>(flags_at) & ~flag));
}

// The bucket's first page is referenced because a standby must lock it; its LSN stays as well.
void leave_locked_page(action& of) { of.moves_lsn = false; }

[[noreturn]] void unexpected_block() { throw page::malformed("unexpected block reference"); }

// --- meta page ---

page::window meta_of(const action& of) {
  require(special(of).load<std::uint16_t>(flags_at) & meta_page, "not the meta page of a hash index");
  return of.page.body();
}

void change_tuple_count(action& of, double by) {
  page::window content = meta_of(of);
  content.store(meta::tuple_count, content.load<double>(meta::tuple_count) + by);
}

void append_map(page::window content, block_number bitmap) {
  const auto count = content.load<std::uint32_t>(meta::map_count);
  require(count < meta::map_places, "too many bitmap pages");
  content.store(meta::maps + count * sizeof bitmap, bitmap);
  content.store(meta::map_count, count + 1);
}

std::size_t spare_position(std::uint32_t split_point) {
  require(split_point < meta::spare_places, "split point out of range");
  return meta::spares + split_point * sizeof(std::uint32_t);
}

void count_spare_page(page::window content) {
  const std::size_t at = spare_position(content.load<std::uint32_t>(meta::split_point));
  content.store(at, content.load<std::uint32_t>(at) + 1);
}

void set_first_free(action& of) {
  page::cursor data = of.data();
  meta_of(of).store(meta::first_free, data.take<std::uint32_t>());
  data.require_finished();
}

// Buckets are allocated in groups: each doubles their number, from group 10 on in four phases.
constexpr std::uint32_t first_group_with_phases = 10;

std::uint32_t split_point_of(std::uint32_t buckets) {
  const auto group = static_cast<std::uint32_t>(std::bit_width(buckets - 1));
  if (group < first_group_with_phases) return group;
  return first_group_with_phases + 4 * (group - first_group_with_phases) + ((buckets - 1) >> (group - 3) & 3);
}

std::uint32_t buckets_up_to(std::uint32_t split_point) {
  if (split_point < first_group_with_phases) return 1u << split_point;
  const std::uint32_t phases = split_point - first_group_with_phases;
  const std::uint32_t before = 1u << (first_group_with_phases + phases / 4 - 1);
  return before + (phases % 4 + 1) * (before / 4);
}

std::uint32_t initial_buckets(double tuples, std::uint16_t fill_factor) {
  constexpr std::uint32_t fewest = 2, most = 1u << 30;
  require(fill_factor != 0, "fill factor is zero");
  const double wanted = tuples / fill_factor;
  if (!(wanted > fewest)) return fewest;  // not a number, too
  if (wanted >= most) return most;
  return buckets_up_to(split_point_of(static_cast<std::uint32_t>(wanted)));
}

void redo_init_meta(action& of) {
  constexpr std::uint32_t magic = 0x06440640, version = 4;
  constexpr std::uint16_t bucket_size = 8152, bitmap_size = 4096, bitmap_shift = 15;
  page::cursor main = of.main_data();
  const auto tuples = main.take<double>();
  const auto procedure = main.take<oid>();
  const auto fill_factor = main.take<std::uint16_t>();
  if (of.record.block_id != 0) unexpected_block();

  const std::uint32_t buckets = initial_buckets(tuples, fill_factor);
  const std::uint32_t split_point = split_point_of(buckets);
  const std::uint32_t high_mask = std::bit_ceil(buckets + 1) - 1;
  start_page(of, invalid_block, invalid_block, meta_page);
  page::window content = of.page.body();
  content.store(meta::magic, magic);
  content.store(meta::version, version);
  content.store(meta::fill_factor, fill_factor);
  content.store(meta::bucket_size, bucket_size);
  content.store(meta::bitmap_size, bitmap_size);
  content.store(meta::bitmap_shift, bitmap_shift);
  content.store(meta::max_bucket, buckets - 1);
  content.store(meta::high_mask, high_mask);
  content.store(meta::low_mask, high_mask >> 1);
  content.store(meta::split_point, split_point);
  content.store(meta::procedure, procedure);
  content.store<std::uint32_t>(spare_position(split_point), 1);
  of.page.set_lower(page::header_size + meta::size);
}

void redo_update_meta(action& of) {
  if (of.record.block_id != 0) unexpected_block();
  meta_of(of).store(meta::tuple_count, of.main_data().take<double>());
}

// --- bitmap pages: a set bit is an overflow page in use ---

void start_bitmap(action& of, std::uint16_t size) {
  start_page(of, invalid_block, invalid_block, bitmap_page);
  of.page.body().fill(0, size, 0xFF);
  of.page.set_lower(page::header_size + size);
}

void set_overflow_bit(action& of, bool in_use) {
  require(special(of).load<std::uint16_t>(flags_at) & bitmap_page, "not a bitmap page of a hash index");
  page::cursor data = of.data();
  const auto bit = data.take<std::uint32_t>();
  data.require_finished();
  require(bit / 8 < of.page.lower() - page::header_size, "bit outside the bitmap");
  page::window bits = of.page.body();
  const auto mask = static_cast<std::uint8_t>(1u << bit % 8);
  const auto old = bits.load<std::uint8_t>(bit / 8);
  bits.store(bit / 8, static_cast<std::uint8_t>(in_use ? old | mask : old & ~mask));
}

// The first bitmap page comes after the buckets and the meta page.
void redo_init_bitmap(action& of) {
  const auto size = of.main_data().take<std::uint16_t>();
  switch (of.record.block_id) {
    case 0: return start_bitmap(of, size);
    case 1: {
      page::window content = meta_of(of);
      return append_map(content, content.load<std::uint32_t>(meta::max_bucket) + 2);
    }
    default: unexpected_block();
  }
}

// --- items ---

void redo_insert(action& of) {
  const auto at = of.main_data().take<item_number>();
  switch (of.record.block_id) {
    case 0: {
      page::cursor data = of.data();
      special(of);
      of.page.insert(at, index_tuple::take(data));
      return data.require_finished();
    }
    case 1: return change_tuple_count(of, 1);
    default: unexpected_block();
  }
}

// Tuples that come from another page: their item numbers, then the tuples with their padding.
void insert_tuples(action& of, std::size_t count) {
  special(of);
  page::cursor data = of.data();
  const item_list places(data, count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = page::align8(index_tuple::at_start_of(data.rest()).size());
    of.page.insert(places[i], data.take_bytes(size));
  }
  data.require_finished();
}

void remove_items(action& of, const item_list& list) {
  constexpr std::size_t most = (page_size - page::header_size) / page::line_pointer_size;
  special(of);
  require(list.size() <= most, "more items than fit on a page");
  std::array<item_number, most> numbers;
  for (std::size_t i = 0; i < list.size(); ++i) numbers[i] = list[i];
  of.page.remove_all(std::span(numbers).first(list.size()));
}

// The data is the list and nothing else; there may be none.
void remove_items(action& of) {
  page::cursor data = of.data();
  require(data.left() % sizeof(item_number) == 0, "payload ends inside an item number");
  remove_items(of, item_list(data, data.left() / sizeof(item_number)));
}

// VACUUM removes dead items from one page of a bucket.
void redo_delete(action& of) {
  const bool clears_dead = of.main_data().take<std::uint8_t>() != 0;
  switch (of.record.block_id) {
    case 0: return leave_locked_page(of);
    case 1:
      remove_items(of);
      if (clears_dead) drop_flag(of, has_dead_items);
      return;
    default: unexpected_block();
  }
}

// An insert makes room by removing items that scans have marked as dead.
void redo_vacuum_one(action& of) {
  page::cursor main = of.main_data();
  main.skip(sizeof(transaction_id));
  std::size_t count = 0;
  if (of.context.major >= major_version::v16) {
    count = main.take<std::uint16_t>();
    main.skip(2);  // whether it is a catalog relation
  } else {
    count = main.take<std::uint32_t>();
  }
  const item_list removed(main, count);
  main.require_finished();
  switch (of.record.block_id) {
    case 0: remove_items(of, removed); return drop_flag(of, has_dead_items);
    case 1: return change_tuple_count(of, -static_cast<double>(count));
    default: unexpected_block();
  }
}

// --- chains of overflow pages ---

void redo_add_overflow(action& of) {
  page::cursor main = of.main_data();
  const auto bitmap_size = main.take<std::uint16_t>();
  const bool free_page_was_found = main.take<std::uint8_t>() != 0;
  switch (of.record.block_id) {
    case 0: {
      page::cursor data = of.data();
      start_page(of, of.block_of(1), data.take<std::uint32_t>(), overflow_page);
      return data.require_finished();
    }
    case 1: return special(of).store(next_at, of.block_of(0));
    case 2: return set_overflow_bit(of, true);
    case 3: return start_bitmap(of, bitmap_size);
    case 4: {
      set_first_free(of);
      if (free_page_was_found) return;
      page::window content = meta_of(of);
      count_spare_page(content);
      if (!of.has_block(3)) return;
      append_map(content, of.block_of(3));
      return count_spare_page(content);
    }
    default: unexpected_block();
  }
}

// Tuples move from a page at the end of a bucket's chain to one nearer to its start.
void redo_move(action& of) {
  const auto count = of.main_data().take<std::uint16_t>();
  switch (of.record.block_id) {
    case 0: return leave_locked_page(of);
    case 1: return insert_tuples(of, count);
    case 2: return remove_items(of);
    default: unexpected_block();
  }
}

// A page at the end of a chain passes its last tuples to the page in block 1 and is freed. If that page is also the one
// before it in the chain, there is no block 3.
void redo_squeeze(action& of) {
  page::cursor main = of.main_data();
  const auto previous = main.take<block_number>();
  const auto next = main.take<block_number>();
  const auto count = main.take<std::uint16_t>();
  main.skip(1);  // whether block 1 is the first page of the bucket, which then needs no block 0
  const bool target_is_previous = main.take<std::uint8_t>() != 0;
  switch (of.record.block_id) {
    case 0: return leave_locked_page(of);
    case 1:
      insert_tuples(of, count);
      if (target_is_previous) special(of).store(next_at, next);
      // From 17 on an unchanged page is here for its lock only.
      of.moves_lsn = of.context.major < major_version::v17 || count > 0 || target_is_previous;
      return;
    case 2: return free_page(of);
    case 3: return special(of).store(next_at, next);
    case 4: return special(of).store(previous_at, previous);
    case 5: return set_overflow_bit(of, false);
    case 6: return set_first_free(of);
    default: unexpected_block();
  }
}

// --- splits ---

// The first page of a bucket has no previous block: the field has the highest bucket at the time of its last split.
void redo_split_allocate(action& of) {
  constexpr std::uint8_t changes_masks = 1, changes_split_point = 2;
  page::cursor main = of.main_data();
  const auto new_bucket = main.take<std::uint32_t>();
  const auto old_flags = main.take<std::uint16_t>();
  const auto new_flags = main.take<std::uint16_t>();
  const auto changes = main.take<std::uint8_t>();
  switch (of.record.block_id) {
    case 0: {
      page::window area = special(of);
      area.store(flags_at, old_flags);
      return area.store(previous_at, new_bucket);
    }
    case 1: return start_page(of, new_bucket, new_bucket, new_flags);
    case 2: {
      page::cursor data = of.data();
      page::window content = meta_of(of);
      content.store(meta::max_bucket, new_bucket);
      if (changes & changes_masks) {
        content.store(meta::low_mask, data.take<std::uint32_t>());
        content.store(meta::high_mask, data.take<std::uint32_t>());
      }
      if (changes & changes_split_point) {
        const auto split_point = data.take<std::uint32_t>();
        content.store(meta::split_point, split_point);
        content.store(spare_position(split_point), data.take<std::uint32_t>());
      }
      return data.require_finished();
    }
    default: unexpected_block();
  }
}

void redo_split_complete(action& of) {
  page::cursor main = of.main_data();
  const auto old_flags = main.take<std::uint16_t>();
  const auto new_flags = main.take<std::uint16_t>();
  switch (of.record.block_id) {
    case 0: return special(of).store(flags_at, old_flags);
    case 1: return special(of).store(flags_at, new_flags);
    default: unexpected_block();
  }
}

void redo_split_cleanup(action& of) {
  if (of.record.block_id != 0) unexpected_block();
  drop_flag(of, needs_split_cleanup);
}

}  // namespace

void redo_hash(action& of) {
  switch (static_cast<hash_operation>(of.operation())) {
    case hash_operation::init_meta: return redo_init_meta(of);
    case hash_operation::init_bitmap: return redo_init_bitmap(of);
    case hash_operation::insert: return redo_insert(of);
    case hash_operation::add_overflow: return redo_add_overflow(of);
    case hash_operation::split_allocate: return redo_split_allocate(of);
    // The tuples of the new bucket's pages are logged as the pages themselves.
    case hash_operation::split_page: throw page::malformed("page of a split without an image");
    case hash_operation::split_complete: return redo_split_complete(of);
    case hash_operation::move: return redo_move(of);
    case hash_operation::squeeze: return redo_squeeze(of);
    case hash_operation::remove: return redo_delete(of);
    case hash_operation::split_cleanup: return redo_split_cleanup(of);
    case hash_operation::update_meta: return redo_update_meta(of);
    case hash_operation::vacuum_one: return redo_vacuum_one(of);
    default: throw not_written();
  }
}

}  // namespace strata::pg::redo
