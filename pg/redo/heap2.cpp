// Resource manager Heap2 (Postgres: src/include/access/heapam_xlog.h). The formats of 14 and 15, of 16, and of 17 and
// later: docs/formats/wal_records.md.

#include <array>

#include "pg/redo/heap_format.hpp"
#include "pg/redo/item_list.hpp"
#include "pg/redo/visibility_map.hpp"

namespace strata::pg::redo {

namespace {

using page::item_number;
using page::line_pointer;

void set_redirects(action& of, const item_list& pairs) {
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
    of.page.set_pointer(pairs[i], line_pointer::redirect_to(pairs[i + 1]));
}
void set_dead(action& of, const item_list& items) {
  for (std::size_t i = 0; i < items.size(); ++i) of.page.set_pointer(items[i], line_pointer::dead());
}
void set_unused(action& of, const item_list& items) {
  for (std::size_t i = 0; i < items.size(); ++i) of.page.set_pointer(items[i], {});
}

void repair(action& of) { of.page.repair(of.context.major >= major_version::v15); }

// 14 to 16.
void redo_prune(action& of) {
  page::cursor main = of.main_data();
  main.skip(sizeof(transaction_id));
  const std::size_t redirects = main.take<std::uint16_t>();
  const std::size_t dead = main.take<std::uint16_t>();
  page::cursor data = of.data();
  set_redirects(of, item_list(data, 2 * redirects));
  set_dead(of, item_list(data, dead));
  require(data.left() % 2 == 0, "payload ends inside an item number");
  set_unused(of, item_list(data, data.left() / 2));
  repair(of);
}

// 14 to 16.
void redo_vacuum(action& of) {
  const auto count = of.main_data().take<std::uint16_t>();
  page::cursor data = of.data();
  set_unused(of, item_list(data, count));
  data.require_finished();
  of.page.truncate_line_pointers();
}

struct freeze_plan {
  static constexpr std::uint8_t xvac_becomes_frozen = 0x02;
  static constexpr std::uint8_t xvac_becomes_invalid = 0x04;

  transaction_id xmax = 0;
  std::uint16_t infomask2 = 0;
  std::uint16_t infomask = 0;
  std::uint8_t flags = 0;

  void freeze(action& of, item_number at) const {
    page::window frozen = heap_tuple(of, at);
    frozen.store(tuple::xmax, xmax);
    frozen.store(tuple::infomask2, infomask2);
    frozen.store(tuple::infomask, infomask);
    if (flags & xvac_becomes_frozen) frozen.store<std::uint32_t>(tuple::command, 2);
    if (flags & xvac_becomes_invalid) frozen.store<std::uint32_t>(tuple::command, 0);
  }
};

// 14 and 15: one plan for each tuple.
void freeze_tuple_by_tuple(action& of, std::size_t count) {
  page::cursor data = of.data();
  for (std::size_t i = 0; i < count; ++i) {
    freeze_plan plan;
    plan.xmax = data.take<transaction_id>();
    const auto at = data.take<item_number>();
    plan.infomask2 = data.take<std::uint16_t>();
    plan.infomask = data.take<std::uint16_t>();
    plan.flags = data.take<std::uint8_t>();
    data.skip(1);
    plan.freeze(of, at);
  }
  data.require_finished();
}

// From 16 on: plans, each with a number of tuples; the tuples' item numbers follow, at the cursor `items`.
void freeze_by_plans(action& of, page::cursor plans, std::size_t count, page::cursor& items) {
  for (std::size_t i = 0; i < count; ++i) {
    freeze_plan plan;
    plan.xmax = plans.take<transaction_id>();
    plan.infomask2 = plans.take<std::uint16_t>();
    plan.infomask = plans.take<std::uint16_t>();
    plan.flags = plans.take<std::uint8_t>();
    plans.skip(1);
    const auto tuples = plans.take<std::uint16_t>();
    const item_list frozen(items, tuples);
    for (std::size_t t = 0; t < frozen.size(); ++t) plan.freeze(of, frozen[t]);
  }
  items.require_finished();
}
constexpr std::size_t freeze_plan_size = 12;

// 14 to 16.
void redo_freeze(action& of) {
  page::cursor main = of.main_data();
  main.skip(sizeof(transaction_id));
  const std::size_t count = main.take<std::uint16_t>();
  if (of.context.major <= major_version::v15) return freeze_tuple_by_tuple(of, count);
  page::cursor data = of.data();
  const page::cursor plans(data.take_bytes(count * freeze_plan_size));
  freeze_by_plans(of, plans, count, data);
}

// 17 and later: pruning, freezing and vacuuming in one format.
void redo_prune_and_freeze(action& of) {
  constexpr std::uint8_t has_cleanup_lock = 0x04, has_plans = 0x10, has_redirects = 0x20, has_dead = 0x40,
                         has_unused = 0x80;
  page::cursor main = of.main_data();
  main.skip(1);
  const auto flags = main.take<std::uint8_t>();

  page::cursor data = of.data();
  std::size_t plan_count = 0;
  page::cursor plans({});
  if (flags & has_plans) {
    plan_count = data.take<std::uint16_t>();
    data.skip(2);
    plans = page::cursor(data.take_bytes(plan_count * freeze_plan_size));
  }
  const auto count = [&] { return std::size_t{data.take<std::uint16_t>()}; };
  if (flags & has_redirects) set_redirects(of, item_list(data, 2 * count()));
  if (flags & has_dead) set_dead(of, item_list(data, count()));
  if (flags & has_unused) set_unused(of, item_list(data, count()));
  if (flags & (has_redirects | has_dead | has_unused)) {
    if (flags & has_cleanup_lock)
      repair(of);
    else
      of.page.truncate_line_pointers();
  }
  freeze_by_plans(of, plans, plan_count, data);
}

void redo_visible(action& of) {
  page::cursor main = of.main_data();
  main.skip(sizeof(transaction_id));
  const auto bits = static_cast<std::uint8_t>(main.take<std::uint8_t>() & vm_both_bits);
  if (of.record.block_id == 0) {
    const block_number heap_block = of.block_of(1);
    require(of.record.addresses[0].in_fork == fork::vm && vm_block_of(heap_block) == of.record.block(),
            "heap block does not belong to this block of the visibility map");
    of.moves_lsn = set_visibility(of.bytes, heap_block, bits);
  } else {
    // A new page is accepted for the map alone, and would become one with flags and no header.
    require(of.record.own().in_fork != fork::vm, "heap block is in the visibility map");
    of.page.set_flag(page::all_visible);
    of.moves_lsn = of.context.hints_are_logged;
  }
}

void redo_multi_insert(action& of) {
  constexpr std::uint8_t sets_all_visible = 0x20;
  page::cursor main = of.main_data();
  const auto flags = main.take<std::uint8_t>();
  main.skip(1);
  const std::size_t count = main.take<std::uint16_t>();
  const bool starts_page = of.record.info & heap_init_page;
  if (starts_page) of.init_page(0);
  const item_list items(main, starts_page ? 0 : count);

  page::cursor data = of.data();
  const std::size_t data_size = data.left();
  for (std::size_t i = 0; i < count; ++i) {
    if ((data_size - data.left()) % 2 != 0) data.skip(1);
    const std::size_t body_size = data.take<std::uint16_t>();
    const short_header header = short_header::read(data);
    const auto at = starts_page ? static_cast<item_number>(i + 1) : items[i];
    page::window added = add_heap_tuple(of, at, header, 0, body_size);
    added.write(tuple::header_size, data.take_bytes(body_size));
  }
  data.require_finished();
  if (flags & clears_all_visible) of.page.set_flag(page::all_visible, false);
  if (flags & sets_all_visible) of.page.set_flag(page::all_visible);
}

// Unlike a lock, this leaves ctid, command id and the hot-updated bit unchanged: the tuple has a newer version.
void redo_lock_updated(action& of) {
  page::cursor main = of.main_data();
  const auto xmax = main.take<transaction_id>();
  const auto at = main.take<item_number>();
  const auto infobits = main.take<std::uint8_t>();
  page::window locked = heap_tuple(of, at);
  clear_xmax(locked);
  apply_infobits(locked, infobits);
  locked.store(tuple::xmax, xmax);
}

}  // namespace

void redo_heap2(action& of) {
  const auto operation = static_cast<heap2_operation>(of.record.info & heap_operation_mask);
  if (operation == heap2_operation::visible) return redo_visible(of);
  if (of.record.own().in_fork == fork::vm) return redo_visibility_block(of);
  const bool merged = of.context.major >= major_version::v17;
  switch (operation) {
    case heap2_operation::prune: return merged ? redo_prune_and_freeze(of) : redo_prune(of);
    case heap2_operation::vacuum: return merged ? redo_prune_and_freeze(of) : redo_vacuum(of);
    case heap2_operation::freeze: return merged ? redo_prune_and_freeze(of) : redo_freeze(of);
    case heap2_operation::multi_insert: return redo_multi_insert(of);
    case heap2_operation::lock_updated: return redo_lock_updated(of);
    default: throw not_written();
  }
}

}  // namespace strata::pg::redo
