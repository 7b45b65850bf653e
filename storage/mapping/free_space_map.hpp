#pragma once

#include "pg/types.hpp"

namespace strata::storage::mapping {

/// The fork fsm is a tree of three levels in depth-first order; a leaf has one slot for each heap block.
inline constexpr std::uint32_t heap_blocks_per_free_space_leaf = 4069;

/// The block of the leaf that has the slot of this heap block: all leaves before it, and the inner pages before them.
constexpr pg::block_number free_space_leaf_of(pg::block_number heap_block) {
  const pg::block_number leaf = heap_block / heap_blocks_per_free_space_leaf;
  const pg::block_number middle_pages = leaf / heap_blocks_per_free_space_leaf + 1;
  const pg::block_number root_pages = leaf / heap_blocks_per_free_space_leaf / heap_blocks_per_free_space_leaf + 1;
  return leaf + middle_pages + root_pages;
}
static_assert(free_space_leaf_of(0) == 2);

}  // namespace strata::storage::mapping
