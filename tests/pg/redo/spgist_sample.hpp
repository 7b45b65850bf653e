#pragma once

#include <vector>

#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

/// Hand-made SP-GiST records and pages.
namespace strata::tests::spgist {

using u16 = std::uint16_t;
using u8 = std::uint8_t;
using numbers = std::vector<u16>;

enum operation : u8 {
  add_leaf = 0x10,
  move_leafs = 0x20,
  add_node = 0x30,
  split_tuple = 0x40,
  picksplit = 0x50,
  vacuum_leaf = 0x60,
  vacuum_root = 0x70,
  vacuum_redirect = 0x80,
};
enum state : std::uint32_t { live, redirect, dead, placeholder };
constexpr std::uint32_t redirect_xid = 4711;

inline payload& put_all(payload& to, const numbers& list) {
  for (const u16 at : list) to.put(at);
  return to;
}
inline core::bytes writer(bool build = false) {
  return payload().put<std::uint32_t>(redirect_xid).put<std::uint32_t>(build);
}

inline core::bytes leaf(std::uint64_t key, u16 next = 0) {
  return payload().put<std::uint32_t>(24 << 2).put(next).put<u16>(0).put<u16>(7).put<u16>(1).put<std::uint32_t>(0).put(
      key);
}
/// With nodes of 16 bytes that lead nowhere.
inline core::bytes inner(std::uint32_t nodes, std::size_t prefix = 8, u16 node_size = 16) {
  payload tuple;
  tuple.put<std::uint32_t>(nodes << 3 | static_cast<std::uint32_t>(prefix) << 16);
  tuple.put<u16>(static_cast<u16>(8 + prefix + 16 * nodes)).put<u16>(0).put_bytes(core::bytes(prefix, 'p'));
  for (std::uint32_t i = 0; i < nodes; ++i)
    tuple.put<std::uint32_t>(0xFFFFFFFF).put<u16>(0).put(node_size).put<std::uint64_t>('a' + i);
  return tuple;
}

inline sample record_of(operation what, core::bytes main, u8 block_id = 0, bool will_init = false) {
  sample of{.manager = pg::wal::resource_manager::spgist,
            .info = what,
            .main_data = std::move(main),
            .block_id = block_id,
            .will_init = will_init};
  for (u8 id = 0; id <= 3; ++id) of.reference(id, 0x10000u * id + 5);
  return of;
}
inline sample insert_leaf(u16 at, u16 head, core::bytes tuple, bool start = false) {
  payload main;
  main.put<u8>(start).put<u8>(0);
  put_all(main, {at, head, 1, 0}).put_bytes(tuple);
  return record_of(add_leaf, main, 0, start);
}
inline sample move(const numbers& from, const numbers& to, u8 block_id, bool build = false,
                   bool replaces_dead = false) {
  payload main;
  main.put(static_cast<u16>(from.size())).put<u8>(0).put<u8>(replaces_dead).put<u16>(0);
  put_all(main, {1, 1, 0}).put_bytes(writer(build));
  put_all(put_all(main, from), to);
  for (std::size_t i = 0; i < to.size(); ++i) main.put_bytes(leaf(100 + i));
  return record_of(move_leafs, main, block_id);
}
inline sample grow(u16 at, u16 new_at, u8 parent_block, u8 block_id, bool start = false, bool build = false,
                   u16 node = 1) {
  payload main;
  put_all(main, {at, new_at}).put<u8>(start).put(parent_block);
  put_all(main, {1, node, 0}).put_bytes(writer(build)).put_bytes(inner(3));
  return record_of(add_node, main, block_id, start);
}
inline sample split_chain(const numbers& removed, const numbers& added, u8 block_id, bool build = false,
                          bool root = false) {
  payload main;
  main.put<u16>(root).put(static_cast<u16>(removed.size())).put(static_cast<u16>(added.size()));
  put_all(main, {0, 9, 0, 0, 1, 1, 0}).put_bytes(writer(build));
  put_all(put_all(main, removed), added);
  for (std::size_t i = 0; i < added.size(); ++i) main.put(static_cast<u8>(i % 2));
  main.put_bytes(inner(2));
  for (std::size_t i = 0; i < added.size(); ++i) main.put_bytes(leaf(200 + i));
  return record_of(picksplit, main, block_id);
}
inline sample vacuum(const numbers& gone, const numbers& holes, const numbers& from, const numbers& to,
                     const numbers& chained, const numbers& next) {
  payload main;
  for (const numbers* list : {&gone, &holes, &from, &chained}) main.put(static_cast<u16>(list->size()));
  main.put_bytes(writer());
  for (const numbers* list : {&gone, &holes, &from, &to, &chained, &next}) put_all(main, *list);
  return record_of(vacuum_leaf, main);
}
inline sample forget(const numbers& redirects, u16 first_cut, bool with_catalog = false) {
  payload main;
  main.put(static_cast<u16>(redirects.size())).put(first_cut).put(redirect_xid);
  if (with_catalog) main.put<u16>(1);
  return record_of(vacuum_redirect, put_all(main, redirects));
}

struct spgist_page : test_page {
  u16 counter(std::size_t at) { return view().special_area(8).load<u16>(at); }
  u16 redirects() { return counter(2); }
  u16 placeholders() { return counter(4); }
  std::uint32_t state_of(u16 at) { return item_field<std::uint32_t>(at, 0) & 3; }
  void check_redirect(u16 at, u16 block_high, u16 item) {
    BOOST_TEST(item_field<std::uint32_t>(at, 0) == (16 << 2 | redirect));
    BOOST_TEST(item_field<u16>(at, 6) == block_high);
    BOOST_TEST(item_field<u16>(at, 8) == 5);
    BOOST_TEST(item_field<u16>(at, 10) == item);
    BOOST_TEST(item_field<std::uint32_t>(at, 12) == redirect_xid);
  }
  void check_nowhere(u16 at, state expected) {
    BOOST_TEST(item_field<std::uint32_t>(at, 0) == (16 << 2 | static_cast<std::uint32_t>(expected)));
    BOOST_TEST(item_field<std::uint32_t>(at, 6) == 0xFFFFFFFF);
    BOOST_TEST(item_field<u16>(at, 10) == 0);
    BOOST_TEST(item_field<std::uint32_t>(at, 12) == 0u);
  }
  void check_node(u16 at, std::size_t node, u16 block_high, u16 item) {
    BOOST_TEST(item_field<u16>(at, 16 + 16 * node) == block_high);
    BOOST_TEST(item_field<u16>(at, 18 + 16 * node) == (item == 0 ? 0xFFFF : 5));
    BOOST_TEST(item_field<u16>(at, 20 + 16 * node) == item);
  }
  void refuse(const sample& of, u8 at_line = 0) {
    auto copy = *this;
    BOOST_TEST_CONTEXT("case " << int{at_line} << ", operation " << int{of.info})
    BOOST_TEST(copy.refusal(of, 9000) == core::errc::corrupt);
  }
};
/// Four leaf tuples, in one chain.
struct leaves : spgist_page {
  leaves() {
    apply(insert_leaf(1, 0, leaf(1), true), 100);
    for (u16 at = 2; at <= 4; ++at) apply(insert_leaf(at, 1, leaf(at)), 100 + 8 * at);
  }
};
/// Two inner tuples.
struct inners : spgist_page {
  inners() {
    apply(grow(9, 1, 2, 1, true), 100);
    apply(grow(9, 2, 2, 1), 108);
  }
};

}  // namespace strata::tests::spgist
