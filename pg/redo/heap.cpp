// Resource manager Heap (Postgres: src/include/access/heapam_xlog.h). "Old" is the version that a record ends or locks,
// "new" the one it adds.

#include "pg/redo/heap_format.hpp"
#include "pg/redo/visibility_map.hpp"

namespace strata::pg::redo {

namespace {

constexpr std::uint8_t delete_is_super = 0x08;
constexpr std::uint8_t delete_moves_partition = 0x10;
constexpr std::uint8_t update_has_prefix = 0x20;
constexpr std::uint8_t update_has_suffix = 0x40;
/// The ctid of a row whose new version is in another partition.
constexpr tuple_id moved_to_another_partition{0xFFFFFFFF, 0xFFFD};

tuple_id self(const action& of, page::item_number at) { return {of.record.block(), at}; }

// Postgres compares xids on a circle, except the three special ones.
bool precedes(transaction_id a, transaction_id b) {
  constexpr transaction_id first_normal = 3;
  if (a < first_normal || b < first_normal) return a < b;
  return static_cast<std::int32_t>(a - b) < 0;
}

void mark_prunable(action& of) {
  const transaction_id oldest = of.page.prune_xid();
  if (oldest == 0 || precedes(of.record.xid, oldest)) of.page.set_prune_xid(of.record.xid);
}

void set_hot_updated(page::window& tuple, bool on) {
  const auto mask = tuple.load<std::uint16_t>(tuple::infomask2);
  tuple.store(tuple::infomask2, static_cast<std::uint16_t>(on ? mask | hot_updated : mask & ~hot_updated));
}

void redo_insert(action& of) {
  page::cursor main = of.main_data();
  const auto at = main.take<std::uint16_t>();
  const auto flags = main.take<std::uint8_t>();
  if (of.record.info & heap_init_page) of.init_page(0);

  page::cursor data = of.data();
  const short_header header = short_header::read(data);
  page::window added = add_heap_tuple(of, at, header, 0, data.left());
  added.write(tuple::header_size, data.take_rest());
  if (flags & clears_all_visible) of.page.set_flag(page::all_visible, false);
}

void redo_delete(action& of) {
  page::cursor main = of.main_data();
  const auto xmax = main.take<transaction_id>();
  const auto at = main.take<std::uint16_t>();
  const auto infobits = main.take<std::uint8_t>();
  const auto flags = main.take<std::uint8_t>();

  page::window old = heap_tuple(of, at);
  clear_xmax(old);
  set_hot_updated(old, false);
  apply_infobits(old, infobits);
  if (flags & delete_is_super)
    old.store<transaction_id>(tuple::xmin, 0);
  else
    old.store(tuple::xmax, xmax);
  clear_command(old);
  set_ctid(old, flags & delete_moves_partition ? moved_to_another_partition : self(of, at));
  mark_prunable(of);
  if (flags & clears_all_visible) of.page.set_flag(page::all_visible, false);
}

struct update {
  transaction_id old_xmax = 0;
  page::item_number old_at = 0;
  std::uint8_t old_infobits = 0;
  std::uint8_t flags = 0;
  transaction_id new_xmax = 0;
  page::item_number new_at = 0;

  static update read(page::cursor main) {
    update read;
    read.old_xmax = main.take<transaction_id>();
    read.old_at = main.take<std::uint16_t>();
    read.old_infobits = main.take<std::uint8_t>();
    read.flags = main.take<std::uint8_t>();
    read.new_xmax = main.take<transaction_id>();
    read.new_at = main.take<std::uint16_t>();
    return read;
  }
};

void update_old(action& of, const update& change, bool hot) {
  page::window old = heap_tuple(of, change.old_at);
  clear_xmax(old);
  set_hot_updated(old, hot);
  apply_infobits(old, change.old_infobits);
  old.store(tuple::xmax, change.old_xmax);
  clear_command(old);
  set_ctid(old, {of.block_of(0), change.new_at});
  mark_prunable(of);
  if (change.flags & clears_all_visible) of.page.set_flag(page::all_visible, false);
}

// The record leaves out the common beginning and end of the old and the new version's data.
void update_new(action& of, const update& change, bool same_page) {
  page::cursor data = of.data();
  const std::size_t prefix = change.flags & update_has_prefix ? data.take<std::uint16_t>() : 0;
  const std::size_t suffix = change.flags & update_has_suffix ? data.take<std::uint16_t>() : 0;
  require(same_page || (prefix == 0 && suffix == 0), "update refers to an old version on another page");
  const short_header header = short_header::read(data);

  page::window added = add_heap_tuple(of, change.new_at, header, change.new_xmax, prefix + data.left() + suffix);
  std::size_t at = tuple::header_size;
  const auto append = [&](core::bytes_view bytes) {
    added.write(at, bytes);
    at += bytes.size();
  };
  if (prefix > 0) {
    require(header.data_offset >= tuple::header_size, "offset of a tuple's data is inside its header");
    append(data.take_bytes(header.data_offset - tuple::header_size));
    const page::window old = heap_tuple(of, change.old_at);
    append(old.part(old.load<std::uint8_t>(tuple::data_offset), prefix).view());
  }
  append(data.take_rest());
  if (suffix > 0) {
    const page::window old = heap_tuple(of, change.old_at);
    require(suffix <= old.size(), "common end is longer than the old version");
    append(old.part(old.size() - suffix, suffix).view());
  }
  if (change.flags & clears_new_all_visible) of.page.set_flag(page::all_visible, false);
}

void redo_update(action& of, bool hot) {
  const update change = update::read(of.main_data());
  const bool same_page = !(of.has_block(1) && of.record.addresses[1].in_fork == fork::main);
  if (of.record.block_id == 1) {
    update_old(of, change, hot);
    return;
  }
  if (same_page) {
    require(!(of.record.info & heap_init_page), "update initialises the page of its old version");
    update_old(of, change, hot);
  } else if (of.record.info & heap_init_page) {
    of.init_page(0);
  }
  update_new(of, change, same_page);
}

// A speculative insert is confirmed by making the tuple point to itself.
void redo_confirm(action& of) {
  const auto at = of.main_data().take<std::uint16_t>();
  page::window tuple = heap_tuple(of, at);
  set_ctid(tuple, self(of, at));
}

bool is_locked_only(const page::window& tuple) {
  const auto mask = tuple.load<std::uint16_t>(tuple::infomask);
  return (mask & xmax_lock_only) || (mask & (xmax_is_multi | xmax_exclusive | xmax_key_share)) == xmax_exclusive;
}

void redo_lock(action& of) {
  page::cursor main = of.main_data();
  const auto xmax = main.take<transaction_id>();
  const auto at = main.take<std::uint16_t>();
  const auto infobits = main.take<std::uint8_t>();

  page::window locked = heap_tuple(of, at);
  clear_xmax(locked);
  apply_infobits(locked, infobits);
  if (is_locked_only(locked)) {
    set_hot_updated(locked, false);
    set_ctid(locked, self(of, at));
  }
  locked.store(tuple::xmax, xmax);
  clear_command(locked);
}

void redo_inplace(action& of) {
  const auto at = of.main_data().take<std::uint16_t>();
  page::window tuple = heap_tuple(of, at);
  const std::size_t body = tuple.load<std::uint8_t>(tuple::data_offset);
  require(body + of.record.data.size() == tuple.size(), "in-place update changes the size of its tuple");
  tuple.write(body, of.record.data);
}

}  // namespace

page::window heap_tuple(action& of, page::item_number at) {
  require(of.page.pointer(at).state() == page::item_state::normal, "item is not a tuple");
  page::window found = of.page.item(at);
  require(found.size() >= tuple::header_size, "tuple shorter than its header");
  return found;
}

void set_ctid(page::window& tuple, tuple_id to) {
  tuple.store(tuple::ctid, static_cast<std::uint16_t>(to.block >> 16));
  tuple.store(tuple::ctid + 2, static_cast<std::uint16_t>(to.block));
  tuple.store(tuple::ctid + 4, to.item);
}

void clear_command(page::window& tuple) {
  tuple.store<std::uint32_t>(tuple::command, 0);
  const auto mask = tuple.load<std::uint16_t>(tuple::infomask);
  tuple.store(tuple::infomask, static_cast<std::uint16_t>(mask & ~has_combo_command));
}

void clear_xmax(page::window& tuple) {
  constexpr std::uint16_t xmax_bits =
      xmax_committed | xmax_invalid | xmax_is_multi | xmax_key_share | xmax_exclusive | xmax_lock_only | moved;
  const auto mask = tuple.load<std::uint16_t>(tuple::infomask);
  const auto mask2 = tuple.load<std::uint16_t>(tuple::infomask2);
  tuple.store(tuple::infomask, static_cast<std::uint16_t>(mask & ~xmax_bits));
  tuple.store(tuple::infomask2, static_cast<std::uint16_t>(mask2 & ~keys_updated));
}

void apply_infobits(page::window& tuple, std::uint8_t infobits) {
  std::uint16_t mask = tuple.load<std::uint16_t>(tuple::infomask);
  std::uint16_t mask2 = tuple.load<std::uint16_t>(tuple::infomask2);
  mask &= static_cast<std::uint16_t>(~(xmax_is_multi | xmax_lock_only | xmax_exclusive | xmax_key_share));
  mask2 &= static_cast<std::uint16_t>(~keys_updated);
  if (infobits & 0x01) mask |= xmax_is_multi;
  if (infobits & 0x02) mask |= xmax_lock_only;
  if (infobits & 0x04) mask |= xmax_exclusive;
  if (infobits & 0x08) mask |= xmax_key_share;
  if (infobits & 0x10) mask2 |= keys_updated;
  tuple.store(tuple::infomask, mask);
  tuple.store(tuple::infomask2, mask2);
}

short_header short_header::read(page::cursor& from) {
  short_header read;
  read.infomask2 = from.take<std::uint16_t>();
  read.infomask = from.take<std::uint16_t>();
  read.data_offset = from.take<std::uint8_t>();
  return read;
}

page::window add_heap_tuple(action& of, page::item_number at, const short_header& header, transaction_id xmax,
                            std::size_t body_size) {
  require(at <= heap_items_max, "too many tuples for a page");
  require(body_size <= heap_tuple_size_max - tuple::header_size, "tuple too large");
  page::window added = of.page.add_in_slot(at, tuple::header_size + body_size);
  added.store(tuple::xmin, of.record.xid);
  added.store(tuple::xmax, xmax);
  added.store<std::uint32_t>(tuple::command, 0);
  set_ctid(added, self(of, at));
  added.store(tuple::infomask2, header.infomask2);
  added.store(tuple::infomask, static_cast<std::uint16_t>(header.infomask & ~has_combo_command));
  added.store(tuple::data_offset, header.data_offset);
  return added;
}

void redo_heap(action& of) {
  if (of.record.own().in_fork == fork::vm) return redo_visibility_block(of);
  switch (static_cast<heap_operation>(of.record.info & heap_operation_mask)) {
    case heap_operation::insert: return redo_insert(of);
    case heap_operation::remove: return redo_delete(of);
    case heap_operation::update: return redo_update(of, false);
    case heap_operation::hot_update: return redo_update(of, true);
    case heap_operation::confirm: return redo_confirm(of);
    case heap_operation::lock: return redo_lock(of);
    case heap_operation::inplace: return redo_inplace(of);
    case heap_operation::truncate: break;
  }
  throw not_written();
}

}  // namespace strata::pg::redo
