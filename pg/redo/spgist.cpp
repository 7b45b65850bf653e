// Resource manager SP-GiST (Postgres: src/include/access/spgxlog.h). In each function: what the
// record does, then block by block.

#include "pg/redo/spgist_format.hpp"

namespace strata::pg::redo {

namespace {

using namespace spgist;

enum class spgist_operation : std::uint8_t {
  add_leaf = 0x10,
  move_leafs = 0x20,
  add_node = 0x30,
  split_tuple = 0x40,
  picksplit = 0x50,
  vacuum_leaf = 0x60,
  vacuum_root = 0x70,
  vacuum_redirect = 0x80,
};

[[noreturn]] void refuse_block() { throw page::malformed("unexpected block reference"); }

bool take_flag(page::cursor& from) { return from.take<std::uint8_t>() != 0; }

void start_leaf_page(action& of, bool nulls) {
  start_page(of, static_cast<std::uint16_t>(leaf_page | (nulls ? nulls_page : 0)));
}

// The writer's state. While an index is built no scan follows redirects, so then it leaves placeholders instead.
struct writer_state {
  transaction_id xid = 0;
  bool build = false;

  static writer_state take(page::cursor& from) {
    writer_state taken;
    taken.xid = from.take<transaction_id>();
    taken.build = take_flag(from);
    from.skip(3);
    return taken;
  }
  [[nodiscard]] tuple_state moved() const { return build ? tuple_state::placeholder : tuple_state::redirect; }
  [[nodiscard]] remains of_chain(tuple_place target) const { return {.first = moved(), .target = target, .xid = xid}; }
};

// A leaf tuple becomes the second of its chain, the first of a new one, to which the parent then leads, or replaces
// a chain that is only a dead tuple.
void redo_add_leaf(action& of) {
  page::cursor main = of.main_data();
  const bool new_page = take_flag(main), nulls = take_flag(main);
  const auto leaf_at = main.take<item_number>(), head = main.take<item_number>();
  const auto parent_at = main.take<item_number>(), node = main.take<std::uint16_t>();
  const core::bytes_view leaf = take_leaf(main);
  main.require_finished();
  if (of.record.block_id == 1) return link(of.page, parent_at, node, {of.block_of(0), leaf_at});
  if (of.record.block_id != 0) refuse_block();

  if (new_page) start_leaf_page(of, nulls);
  if (leaf_at == head) return replace(of.page, leaf_at, leaf);
  put(of.page, leaf_at, leaf);
  if (head != 0) chain(of.page, head, leaf_at);
}

// A chain and a new leaf tuple move to a page with more room; if the chain was only a dead tuple, just the new one.
void redo_move_leafs(action& of) {
  page::cursor main = of.main_data();
  const std::size_t moved = main.take<std::uint16_t>();
  const bool new_page = take_flag(main), replaces_dead = take_flag(main), nulls = take_flag(main);
  main.skip(1);
  const auto parent_at = main.take<item_number>(), node = main.take<std::uint16_t>();
  main.skip(2);
  const auto state = writer_state::take(main);
  const item_list removed(main, moved);
  const item_list added(main, replaces_dead ? 1 : moved + 1);
  const tuple_place new_head{of.block_of(1), added[added.size() - 1]};
  switch (of.record.block_id) {
    case 0: return kill(of.page, removed, state.of_chain(new_head));
    case 1:
      if (new_page) start_leaf_page(of, nulls);
      for (std::size_t i = 0; i < added.size(); ++i) put(of.page, added[i], take_leaf(main));
      return main.require_finished();
    case 2: return link(of.page, parent_at, node, new_head);
    default: refuse_block();
  }
}

// An inner tuple grows by a node: in place, or if its page has no room (then there is a block 1) elsewhere. The parent
// may be on the old page, on the new one or on a third.
void redo_add_node(action& of) {
  page::cursor main = of.main_data();
  const auto at = main.take<item_number>(), new_at = main.take<item_number>();
  const bool new_page = take_flag(main);
  const auto parent_block_id = main.take<std::uint8_t>();
  const auto parent_at = main.take<item_number>(), node = main.take<std::uint16_t>();
  main.skip(2);
  const auto state = writer_state::take(main);
  const core::bytes_view inner = take_inner(main);
  main.require_finished();
  if (!of.has_block(1)) {
    if (of.record.block_id != 0) refuse_block();
    return replace(of.page, at, inner);
  }

  const tuple_place moved_to{of.block_of(1), new_at};
  switch (of.record.block_id) {
    case 0:
      replace(of.page, at, make_remnant(state.moved(), moved_to, state.xid));
      change_count(of.page, state.build ? special::placeholders : special::redirects, 1);
      break;
    case 1:
      if (new_page) start_page(of, 0);
      put(of.page, new_at, inner);
      break;
    default:
      if (of.record.block_id != 2 || parent_block_id != 2) refuse_block();
  }
  if (of.record.block_id == parent_block_id) link(of.page, parent_at, node, moved_to);
}

// An inner tuple is split into one with a shorter prefix, in its place, and one with the rest.
void redo_split_tuple(action& of) {
  page::cursor main = of.main_data();
  const auto prefix_at = main.take<item_number>(), postfix_at = main.take<item_number>();
  const bool new_page = take_flag(main), on_same_page = take_flag(main);
  const core::bytes_view prefix = take_inner(main);
  const core::bytes_view postfix = take_inner(main);
  main.require_finished();
  switch (of.record.block_id) {
    case 0:
      replace(of.page, prefix_at, prefix);
      if (on_same_page) put(of.page, postfix_at, postfix);
      return;
    case 1:
      if (on_same_page) refuse_block();
      if (new_page) start_page(of, 0);
      return put(of.page, postfix_at, postfix);
    default: refuse_block();
  }
}

// A chain becomes an inner tuple with several chains, on the page of the old one and on a second one.
void redo_picksplit(action& of) {
  page::cursor main = of.main_data();
  const bool splits_root = take_flag(main);
  main.skip(1);
  const std::size_t removed_count = main.take<std::uint16_t>(), added_count = main.take<std::uint16_t>();
  const bool new_source = take_flag(main), new_destination = take_flag(main);
  const auto inner_at = main.take<item_number>();
  const bool new_inner = take_flag(main), nulls = take_flag(main), inner_page_has_parent = take_flag(main);
  main.skip(1);
  const auto parent_at = main.take<item_number>(), node = main.take<std::uint16_t>();
  main.skip(2);
  const auto state = writer_state::take(main);
  const item_list removed(main, removed_count), added(main, added_count);
  const core::bytes_view is_for_destination = main.take_bytes(added_count);
  const core::bytes_view inner = take_inner(main);
  const tuple_place inner_place{of.block_of(2), inner_at};
  const auto put_leaves = [&](bool destination) {
    for (std::size_t i = 0; i < added.size(); ++i) {
      const core::bytes_view leaf = take_leaf(main);
      if ((is_for_destination[i] != 0) == destination) put(of.page, added[i], leaf);
    }
    main.require_finished();
  };
  switch (of.record.block_id) {
    case 0:
      if (splits_root) refuse_block();  // the root is the page of the inner tuple
      if (new_source)
        start_leaf_page(of, nulls);
      else
        kill(of.page, removed, state.of_chain(inner_place));
      return put_leaves(false);
    case 1:
      if (new_destination) start_leaf_page(of, nulls);
      return put_leaves(true);
    case 2:
      if (new_inner) start_page(of, nulls ? nulls_page : 0);
      put(of.page, inner_at, inner);
      if (inner_page_has_parent) link(of.page, parent_at, node, inner_place);
      return;
    case 3: return link(of.page, parent_at, node, inner_place);
    default: refuse_block();
  }
}

// An empty chain keeps a dead tuple where its parent expects it; one that lost its first tuple gets another in
// that slot.
void redo_vacuum_leaf(action& of) {
  page::cursor main = of.main_data();
  const std::size_t dead_count = main.take<std::uint16_t>(), placeholder_count = main.take<std::uint16_t>();
  const std::size_t move_count = main.take<std::uint16_t>(), chain_count = main.take<std::uint16_t>();
  writer_state::take(main);
  const item_list dead(main, dead_count), placeholders(main, placeholder_count);
  const item_list move_from(main, move_count), move_to(main, move_count);
  const item_list chained(main, chain_count), next(main, chain_count);
  main.require_finished();

  kill(of.page, dead, {.first = tuple_state::dead, .others = tuple_state::dead});
  kill(of.page, placeholders, {});
  for (std::size_t i = 0; i < move_count; ++i) {
    const page::line_pointer from = of.page.pointer(move_from[i]), to = of.page.pointer(move_to[i]);
    of.page.set_pointer(move_from[i], to);
    of.page.set_pointer(move_to[i], from);
  }
  kill(of.page, move_from, {});
  for (std::size_t i = 0; i < chain_count; ++i) chain(of.page, chained[i], next[i]);
}

// A root that is a leaf page has neither chains nor parents.
void redo_vacuum_root(action& of) {
  page::cursor main = of.main_data();
  const std::size_t count = main.take<std::uint16_t>();
  main.skip(2);
  writer_state::take(main);
  const item_list removed(main, count);
  main.require_finished();
  of.page.remove_all(removed.numbers());
}

void redo_vacuum_redirect(action& of) {
  page::cursor main = of.main_data();
  const std::size_t count = main.take<std::uint16_t>();
  const auto first_cut = main.take<item_number>();
  main.skip(sizeof(transaction_id));
  if (of.context.major >= major_version::v16) main.skip(2);  // whether the table is a catalog
  const item_list redirects(main, count);
  main.require_finished();
  forget_redirects(of.page, redirects);
  if (first_cut != 0) cut_placeholders(of.page, first_cut);
}

}  // namespace

void redo_spgist(action& of) {
  if (!of.record.will_init) special_of(of.page);
  switch (static_cast<spgist_operation>(of.operation())) {
    case spgist_operation::add_leaf: return redo_add_leaf(of);
    case spgist_operation::move_leafs: return redo_move_leafs(of);
    case spgist_operation::add_node: return redo_add_node(of);
    case spgist_operation::split_tuple: return redo_split_tuple(of);
    case spgist_operation::picksplit: return redo_picksplit(of);
    case spgist_operation::vacuum_leaf: return redo_vacuum_leaf(of);
    case spgist_operation::vacuum_root: return redo_vacuum_root(of);
    case spgist_operation::vacuum_redirect: return redo_vacuum_redirect(of);
  }
  throw not_written();
}

}  // namespace strata::pg::redo
