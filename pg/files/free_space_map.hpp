#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// The fork fsm (src/backend/storage/freespace/README in Postgres's sources; all majors). A page is a page header,
/// the slot where the next search begins (i32), and a binary tree of one byte a node in the order of a heap: the
/// children of node n are 2n + 1 and 2n + 2, and a node is the larger of them. The leaves are the page's slots. The
/// pages form a tree of three levels in depth-first order: a slot of a lowest page is the category of one heap block, a
/// slot of a page above is the root node of a page below.
inline constexpr std::uint32_t free_space_inner_nodes = 4095;
inline constexpr std::uint32_t free_space_slots = 4069;

/// The block of the lowest page that has the slot of this heap block: all lowest pages before it, and the pages above.
constexpr block_number free_space_leaf_of(block_number heap_block) {
  const block_number leaf = heap_block / free_space_slots;
  const block_number middle_pages = leaf / free_space_slots + 1;
  const block_number root_pages = leaf / free_space_slots / free_space_slots + 1;
  return leaf + middle_pages + root_pages;
}
static_assert(free_space_leaf_of(0) == 2);

/// Free bytes of a page in one byte: 32 bytes a step, rounded down. The highest category is for pages with room for the
/// largest possible tuple (8160 bytes with its line pointer), the next one for all others from 8128 bytes on.
std::uint8_t free_space_category(std::size_t free_bytes);

/// The bytes that a further tuple may have on this page of a table, computed as in Postgres: the space between line
/// pointers and tuples, less a line pointer for it. None when all line pointers that a page may have are in use. A page
/// that was never initialised is empty except for its header; one with an invalid header has no free space.
std::size_t heap_free_space(core::bytes_view page);

/// A whole free space map: one byte a block of the table and one more for each 4069 of them.
class free_space_map {
 public:
  /// `categories[b]` belongs to heap block b.
  explicit free_space_map(std::vector<std::uint8_t> categories);

  /// Whether no block has any free space: equivalent to having no map.
  [[nodiscard]] bool empty() const { return root_ == 0; }
  /// Up to the page of the last heap block.
  [[nodiscard]] block_number pages() const;
  /// Writes one page, without an LSN and without a checksum. Precondition: block < pages().
  void write_page(block_number block, core::bytes_span page) const;

 private:
  static constexpr std::size_t level_count = 3;
  std::vector<std::vector<std::uint8_t>> levels_;  ///< the slots of all pages of a level in sequence; lowest first
  std::uint8_t root_ = 0;
};

/// Reads the pages of a main fork in order, and creates the free space map of a table from them. Holds
/// one byte a block and no pages: 128 MiB for a table of 1 TiB. That is the bound: of a larger table only the first
/// blocks_max blocks are in the map, and the next VACUUM finds the rest.
class free_space_survey {
 public:
  static constexpr block_number blocks_max = 128u << 20;

  /// `blocks`: how many pages will be added.
  explicit free_space_survey(block_number blocks);
  void add(core::bytes_view page);

  /// Whether the pages are those of a table (also a toast table or a materialised view): none has a special area, as
  /// the pages of every index and sequence have, and at least one is initialised.
  [[nodiscard]] bool of_table() const { return initialised_ && !special_; }
  /// Moves out the collected categories.
  [[nodiscard]] free_space_map take_map() { return free_space_map(std::move(categories_)); }

 private:
  std::vector<std::uint8_t> categories_;
  bool initialised_ = false;
  bool special_ = false;
};

}  // namespace strata::pg::files
