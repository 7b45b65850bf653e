#pragma once

#include "pg/redo/action.hpp"

/// Byte layout of index tuples, the same in all index types: heap tid (block high, block low, item), info (size and
/// flags), key. Numbers of Postgres, never renumber.
namespace strata::pg::redo {

inline constexpr std::size_t heap_tid_size = 6;

namespace index_tuple {
inline constexpr std::size_t header_size = 8;
inline constexpr std::size_t tid_item = 4;
inline constexpr std::size_t info = 6;
inline constexpr std::uint16_t info_size_mask = 0x1FFF;

/// The tuple that starts here, without what follows it; checked to hold at least its header.
core::bytes_view at_start_of(core::bytes_view bytes);
/// Takes the tuple that starts at the cursor.
core::bytes_view take(page::cursor& from);
block_number block(core::bytes_view tuple);
void set_block(page::window tuple, block_number block);
}  // namespace index_tuple

/// The bytes of an item that is an index tuple, cut to the size in the tuple itself.
core::bytes_view index_item(const page::slotted_page& page, page::item_number at);

}  // namespace strata::pg::redo
