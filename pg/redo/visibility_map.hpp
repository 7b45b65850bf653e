#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::redo {

/// The visibility map: two bits for each heap block, from byte 24 of each page of fork vm.
inline constexpr std::uint8_t vm_all_visible = 1;
inline constexpr std::uint8_t vm_all_frozen = 2;
inline constexpr std::uint8_t vm_both_bits = 3;
inline constexpr std::uint32_t heap_blocks_per_vm_page = 32672;

/// The block of fork vm that holds the bits of this heap block.
constexpr block_number vm_block_of(block_number heap_block) { return heap_block / heap_blocks_per_vm_page; }

/// Clears the given bits of a heap block; true if one of them was set. The page's LSN stays: Postgres clears them as a
/// side effect, without a record of their own. `page` is the block vm_block_of(heap_block); a new page is all clear.
bool clear_visibility(core::bytes_span page, block_number heap_block, std::uint8_t bits);

/// Sets bits of a heap block; true if that changed any. Initialises a new page.
bool set_visibility(core::bytes_span page, block_number heap_block, std::uint8_t bits);

/// Clears the bits of `first_cut` and of all heap blocks after it on this page. The page's LSN stays. `page` is the
/// block vm_block_of(first_cut); the caller drops the map's blocks after it.
void truncate_visibility_map(core::bytes_span page, block_number first_cut);

/// Bits of the visibility map that a heap record clears without naming the map's block.
struct visibility_clear {
  relation_fork heap;  ///< fork main; the bits are in fork vm of the same relation
  block_number heap_block = 0;
  std::uint8_t bits = 0;
};

struct visibility_clears_of_record {
  std::uint8_t count = 0;
  std::array<visibility_clear, 2> clears;  ///< the first `count`
};

/// The bits that an insert, delete, update, lock or multi-insert clears (docs/formats/wal_records.md). Empty for every
/// other record, and for one that refers to the map's blocks itself, as those of the newest minor releases do: apply()
/// clears those. The rules are the same in all supported majors. A record too short for its kind clears nothing:
/// its redo fails by itself.
visibility_clears_of_record visibility_clears(const wal::record& record);

}  // namespace strata::pg::redo
