#pragma once

#include <cstdint>

#include "pg/redo/action.hpp"

/// Byte layout of heap tuples and the operations of the two heap resource managers. Numbers of Postgres, never
/// renumber.
namespace strata::pg::redo {

/// Bits of `info & 0x70`; the bit above says that the page is initialised first.
inline constexpr std::uint8_t heap_operation_mask = 0x70;
inline constexpr std::uint8_t heap_init_page = 0x80;

enum class heap_operation : std::uint8_t {
  insert = 0x00,
  remove = 0x10,
  update = 0x20,
  truncate = 0x30,
  hot_update = 0x40,
  confirm = 0x50,
  lock = 0x60,
  inplace = 0x70,
};

enum class heap2_operation : std::uint8_t {
  rewrite = 0x00,
  prune = 0x10,   ///< from 17 on: prune and freeze on access
  vacuum = 0x20,  ///< from 17 on: prune and freeze by the first pass of vacuum
  freeze = 0x30,  ///< from 17 on: prune and freeze by the second pass of vacuum
  visible = 0x40,
  multi_insert = 0x50,
  lock_updated = 0x60,
  new_cid = 0x70,
};

/// Flags of records.
inline constexpr std::uint8_t clears_all_visible = 0x01;      ///< insert, multi-insert, delete; update: of the old page
inline constexpr std::uint8_t clears_new_all_visible = 0x02;  ///< update: of the new page
inline constexpr std::uint8_t clears_all_frozen = 0x01;       ///< lock and lock-updated: the all-frozen bit only

namespace tuple {
inline constexpr std::size_t header_size = 23;
/// Header as it travels in records: infomask2, infomask, offset of the data.
inline constexpr std::size_t short_header_size = 5;

inline constexpr std::size_t xmin = 0;
inline constexpr std::size_t xmax = 4;
inline constexpr std::size_t command = 8;  ///< command id, or the xid of an old-style vacuum
inline constexpr std::size_t ctid = 12;
inline constexpr std::size_t infomask2 = 18;
inline constexpr std::size_t infomask = 20;
inline constexpr std::size_t data_offset = 22;
}  // namespace tuple

/// Bits of infomask and infomask2.
inline constexpr std::uint16_t xmax_key_share = 0x0010;
inline constexpr std::uint16_t has_combo_command = 0x0020;
inline constexpr std::uint16_t xmax_exclusive = 0x0040;
inline constexpr std::uint16_t xmax_lock_only = 0x0080;
inline constexpr std::uint16_t xmax_committed = 0x0400;
inline constexpr std::uint16_t xmax_invalid = 0x0800;
inline constexpr std::uint16_t xmax_is_multi = 0x1000;
inline constexpr std::uint16_t moved = 0xC000;
inline constexpr std::uint16_t keys_updated = 0x2000;  // infomask2
inline constexpr std::uint16_t hot_updated = 0x4000;   // infomask2

inline constexpr page::item_number heap_items_max = 291;
inline constexpr std::size_t heap_tuple_size_max = 8160;

/// Changes shared by heap.cpp and heap2.cpp. Tuples are windows of items.
struct tuple_id {
  block_number block = 0;
  page::item_number item = 0;
};
page::window heap_tuple(action& of, page::item_number at);
void set_ctid(page::window& tuple, tuple_id to);
void clear_command(page::window& tuple);
void clear_xmax(page::window& tuple);
void apply_infobits(page::window& tuple, std::uint8_t infobits);
/// The part of a tuple's header that records carry.
struct short_header {
  std::uint16_t infomask2 = 0;
  std::uint16_t infomask = 0;
  std::uint8_t data_offset = 0;
  static short_header read(page::cursor& from);
};
/// Adds a tuple of the record's transaction with an empty body of this size; the caller writes it, from header_size on.
page::window add_heap_tuple(action& of, page::item_number at, const short_header& header, transaction_id xmax,
                            std::size_t body_size);
/// Clears the bits of heap blocks in the map block that this slice is for, and moves its LSN only if that changed any.
void redo_visibility_block(action& of);

}  // namespace strata::pg::redo
