#pragma once

#include <vector>

#include "pg/redo/index_tuple.hpp"

/// Byte layout of btree pages, and the changes of tuples with posting lists. Numbers of Postgres, never
/// renumber.
namespace strata::pg::redo {

/// The special area of a btree page.
namespace links {
inline constexpr std::size_t size = 16;
inline constexpr std::size_t previous = 0;
inline constexpr std::size_t next = 4;
inline constexpr std::size_t level = 8;
inline constexpr std::size_t flags = 12;
inline constexpr std::size_t cycle_id = 14;
}  // namespace links

inline constexpr std::uint16_t btree_leaf = 0x01;
inline constexpr std::uint16_t btree_root = 0x02;
inline constexpr std::uint16_t btree_deleted = 0x04;
inline constexpr std::uint16_t btree_meta = 0x08;
inline constexpr std::uint16_t btree_half_dead = 0x10;
inline constexpr std::uint16_t btree_has_garbage = 0x40;
inline constexpr std::uint16_t btree_incomplete_split = 0x80;
inline constexpr std::uint16_t btree_has_full_xid = 0x100;

/// A tuple with a posting list: the tid instead holds where the sorted array of heap tids starts and, in the item's low
/// bits, how many they are.
namespace index_tuple {
inline constexpr std::uint16_t info_alternative_tid = 0x2000;
inline constexpr std::uint16_t tid_is_posting = 0x2000;
inline constexpr std::uint16_t tid_count_mask = 0x0FFF;

/// A tuple's targets, and its key part, which includes the header.
struct parts {
  core::bytes_view key;
  core::bytes_view heap_tids;  ///< a whole number of heap_tid_size
  bool posting = false;
  [[nodiscard]] std::size_t count() const { return heap_tids.size() / heap_tid_size; }
};
parts split(core::bytes_view tuple);

/// A tuple with this key part and these heap tids: with a posting list if there are several.
core::bytes join(core::bytes_view key, core::bytes_view heap_tids);

/// The two tuples that come from inserting `new_tuple` into the middle of a posting list: its heap tid takes place
/// number `place` there, and the last heap tid of the list, pushed out, becomes its own.
struct posting_split {
  core::bytes posting;
  core::bytes new_tuple;
};
posting_split split_posting(core::bytes_view posting, core::bytes_view new_tuple, std::size_t place);

}  // namespace index_tuple

}  // namespace strata::pg::redo
