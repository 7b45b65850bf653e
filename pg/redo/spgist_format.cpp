#include "pg/redo/spgist_format.hpp"

#include <algorithm>
#include <numeric>

#include "pg/redo/index_tuple.hpp"

namespace strata::pg::redo::spgist {

namespace {

constexpr std::uint32_t state_mask = 3;
constexpr unsigned leaf_size_shift = 2;
constexpr std::size_t leaf_header_size = 12;
constexpr std::size_t leaf_next = 4;
constexpr std::uint16_t leaf_next_mask = 0x3FFF;

constexpr std::size_t inner_header_size = 8;
constexpr unsigned inner_nodes_shift = 3;
constexpr std::uint32_t inner_nodes_mask = 0x1FFF;
constexpr std::size_t inner_prefix_size = 2;
constexpr std::size_t inner_size = 4;

constexpr std::size_t remnant_target = 6;
constexpr std::size_t remnant_xid = 12;

void store_tid(page::window tuple, std::size_t at, tuple_place target) {
  tuple.store(at, static_cast<std::uint16_t>(target.block >> 16));
  tuple.store(at + 2, static_cast<std::uint16_t>(target.block));
  tuple.store(at + 4, target.item);
}

std::uint32_t first_word(core::bytes_view tuple, tuple_state state) {
  const auto word = core::load_le<std::uint32_t>(tuple.data());
  return (word & ~state_mask) | static_cast<std::uint32_t>(state);
}

}  // namespace

remnant make_remnant(tuple_state state, tuple_place target, transaction_id xid) {
  remnant made{};
  page::window tuple(made);
  const bool leads_on = state == tuple_state::redirect;
  tuple.store(0, static_cast<std::uint32_t>(made.size() << leaf_size_shift) | static_cast<std::uint32_t>(state));
  store_tid(tuple, remnant_target, leads_on ? target : tuple_place{});
  tuple.store(remnant_xid, leads_on ? xid : 0);
  return made;
}

tuple_state state_of(const page::slotted_page& page, item_number at) {
  return static_cast<tuple_state>(page.item(at).load<std::uint32_t>(0) & state_mask);
}

core::bytes_view take_leaf(page::cursor& from) {
  page::cursor ahead = from;
  const std::size_t size = ahead.take<std::uint32_t>() >> leaf_size_shift;
  require(size >= leaf_header_size, "leaf tuple too small");
  return from.take_bytes(size);
}

core::bytes_view take_inner(page::cursor& from) {
  page::cursor ahead = from;
  const core::bytes_view header = ahead.take_bytes(inner_header_size);
  const std::size_t size = core::load_le<std::uint16_t>(header.data() + inner_size);
  require(size >= inner_header_size, "inner tuple too small");
  return from.take_bytes(size);
}

page::window special_of(const page::slotted_page& page) {
  const page::window area = page.special_area(special::size);
  require(area.load<std::uint16_t>(special::id) == page_id, "not a page of an SP-GiST index");
  return area;
}

void start_page(action& of, std::uint16_t flags) {
  of.init_page(special::size);
  page::window area = of.page.special_area(special::size);
  area.store(special::flags, flags);
  area.store(special::id, page_id);
}

void change_count(page::slotted_page& page, std::size_t counter, int by) {
  page::window area = special_of(page);
  area.store(counter, static_cast<std::uint16_t>(area.load<std::uint16_t>(counter) + by));
}

void put(page::slotted_page& page, item_number at, core::bytes_view tuple) {
  if (at <= page.item_count()) {
    require(state_of(page, at) == tuple_state::placeholder, "item is not a placeholder");
    change_count(page, special::placeholders, -1);
    page.remove(at);
  }
  page.insert(at, tuple);
}

void replace(page::slotted_page& page, item_number at, core::bytes_view tuple) {
  page.remove(at);
  page.insert(at, tuple);
}

void kill(page::slotted_page& page, const item_list& items, const remains& left) {
  if (items.size() == 0) return;
  const item_number first = items[0];
  std::vector<item_number> sorted = items.numbers();
  std::sort(sorted.begin(), sorted.end());
  page.remove_all(sorted);
  int redirects = 0, placeholders = 0;
  for (const item_number at : sorted) {
    const tuple_state state = at == first ? left.first : left.others;
    page.insert(at, make_remnant(state, left.target, left.xid));
    redirects += state == tuple_state::redirect;
    placeholders += state == tuple_state::placeholder;
  }
  change_count(page, special::redirects, redirects);
  change_count(page, special::placeholders, placeholders);
}

void link(page::slotted_page& page, item_number inner, std::size_t node, tuple_place target) {
  page::window tuple = page.item(inner);
  const std::size_t count = tuple.load<std::uint32_t>(0) >> inner_nodes_shift & inner_nodes_mask;
  require(node < count, "inner tuple has no such node");
  std::size_t at = inner_header_size + tuple.load<std::uint16_t>(inner_prefix_size);
  for (std::size_t i = 0; i < node; ++i) {
    const std::size_t size = tuple.load<std::uint16_t>(at + index_tuple::info) & index_tuple::info_size_mask;
    require(size >= index_tuple::header_size, "node too small");
    at += size;
  }
  store_tid(tuple, at, target);
}

void chain(page::slotted_page& page, item_number leaf, item_number next) {
  page::window tuple = page.item(leaf);
  const auto other_bits = static_cast<std::uint16_t>(tuple.load<std::uint16_t>(leaf_next) & ~leaf_next_mask);
  tuple.store(leaf_next, static_cast<std::uint16_t>(other_bits | (next & leaf_next_mask)));
}

void forget_redirects(page::slotted_page& page, const item_list& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    require(state_of(page, items[i]) == tuple_state::redirect, "item is not a redirect");
    page::window tuple = page.item(items[i]);
    tuple.store(0, first_word(tuple.view(), tuple_state::placeholder));
    store_tid(tuple, remnant_target, {});
  }
  change_count(page, special::redirects, -static_cast<int>(items.size()));
  change_count(page, special::placeholders, static_cast<int>(items.size()));
}

void cut_placeholders(page::slotted_page& page, item_number first) {
  const item_number last = page.item_count();
  require(first >= 1 && first <= last, "no such item on the page");
  std::vector<item_number> cut(last - first + std::size_t{1});
  std::iota(cut.begin(), cut.end(), first);
  page.remove_all(cut);
  change_count(page, special::placeholders, -static_cast<int>(cut.size()));
}

}  // namespace strata::pg::redo::spgist
