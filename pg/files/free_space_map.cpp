#include "pg/files/free_space_map.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "pg/page/page.hpp"

namespace strata::pg::files {
namespace {

constexpr std::size_t bytes_per_category = 32;
constexpr std::size_t largest_tuple = page_size - page::align8(page::header_size + page::line_pointer_size);
constexpr std::uint8_t highest_category = 255;
/// The smallest tuple, its header alone and a line pointer, determines how many a page may have.
constexpr std::size_t smallest_tuple = page::align8(23) + page::line_pointer_size;
constexpr std::size_t line_pointers_max = (page_size - page::header_size) / smallest_tuple;
static_assert(largest_tuple == 8160 && line_pointers_max == 291);

constexpr std::size_t tree_at = page::header_size + sizeof(std::int32_t);
static_assert(tree_at + free_space_inner_nodes + free_space_slots == page_size);

/// The page of the middle level and the lowest pages below it.
constexpr block_number pages_per_middle = free_space_slots + 1;

/// Place of a page in the map: its level, lowest 0, and its number there.
struct map_position {
  std::size_t level = 0;
  std::size_t number = 0;
};
map_position position_of(block_number block) {
  if (block == 0) return {2, 0};
  const block_number middle = (block - 1) / pages_per_middle;
  const block_number below = (block - 1) % pages_per_middle;
  if (below == 0) return {1, middle};
  return {0, std::size_t{middle} * free_space_slots + below - 1};
}

}  // namespace

std::uint8_t free_space_category(std::size_t free_bytes) {
  if (free_bytes >= largest_tuple) return highest_category;
  return static_cast<std::uint8_t>(std::min<std::size_t>(free_bytes / bytes_per_category, highest_category - 1));
}

std::size_t heap_free_space(core::bytes_view bytes) {
  core::check(bytes.size() == page_size, "a page has page_size bytes");
  const auto lower = core::load_le<std::uint16_t>(bytes.data() + 12);
  const auto upper = core::load_le<std::uint16_t>(bytes.data() + 14);
  if (upper == 0) return page_size - page::header_size;
  if (lower < page::header_size || upper > page_size || upper < lower + page::line_pointer_size) return 0;
  const std::size_t lines = (lower - page::header_size) / page::line_pointer_size;
  if (lines >= line_pointers_max) {
    const auto flags = core::load_le<std::uint16_t>(bytes.data() + 10);
    if (!(flags & page::has_free_lines)) return 0;
    // The flag is a hint.
    bool unused = false;
    for (std::size_t i = 0; i < lines && !unused; ++i) {
      const std::size_t at = page::header_size + i * page::line_pointer_size;
      unused = page::line_pointer(core::load_le<std::uint32_t>(bytes.data() + at)).unused();
    }
    if (!unused) return 0;
  }
  return upper - lower - page::line_pointer_size;
}

free_space_map::free_space_map(std::vector<std::uint8_t> categories) {
  levels_.push_back(std::move(categories));
  for (std::size_t level = 1; level < level_count; ++level) {
    const std::vector<std::uint8_t>& below = levels_.back();
    std::vector<std::uint8_t> slots;
    for (std::size_t first = 0; first < below.size(); first += free_space_slots) {
      const auto begin = below.begin() + static_cast<std::ptrdiff_t>(first);
      const auto count = std::min<std::size_t>(free_space_slots, below.size() - first);
      slots.push_back(*std::max_element(begin, begin + static_cast<std::ptrdiff_t>(count)));
    }
    levels_.push_back(std::move(slots));
  }
  for (const std::uint8_t each : levels_.back()) root_ = std::max(root_, each);
}

block_number free_space_map::pages() const {
  if (levels_.front().empty()) return 0;
  return free_space_leaf_of(static_cast<block_number>(levels_.front().size() - 1)) + 1;
}

void free_space_map::write_page(block_number block, core::bytes_span bytes) const {
  core::check(block < pages(), "a page of the free space map");
  page::slotted_page(bytes).init(0);
  const auto [level, number] = position_of(block);
  const std::vector<std::uint8_t>& slots = levels_[level];
  const std::size_t first = number * free_space_slots;
  const std::size_t count = std::min<std::size_t>(free_space_slots, slots.size() - first);
  std::uint8_t* const nodes = bytes.data() + tree_at;
  std::copy_n(slots.begin() + static_cast<std::ptrdiff_t>(first), count, nodes + free_space_inner_nodes);
  constexpr std::size_t node_count = free_space_inner_nodes + free_space_slots;
  for (std::size_t node = free_space_inner_nodes; node-- > 0;) {
    const std::size_t left = 2 * node + 1;
    const std::uint8_t right_value = left + 1 < node_count ? nodes[left + 1] : std::uint8_t{0};
    nodes[node] = left < node_count ? std::max(nodes[left], right_value) : std::uint8_t{0};
  }
}

free_space_survey::free_space_survey(block_number blocks) { categories_.reserve(std::min(blocks, blocks_max)); }

void free_space_survey::add(core::bytes_view bytes) {
  const auto upper = core::load_le<std::uint16_t>(bytes.data() + 14);
  const auto special = core::load_le<std::uint16_t>(bytes.data() + 16);
  if (upper != 0) {
    initialised_ = true;
    special_ = special_ || special != page_size;
  }
  if (special_)
    categories_ = {};
  else if (categories_.size() < blocks_max)
    categories_.push_back(free_space_category(heap_free_space(bytes)));
}

}  // namespace strata::pg::files
