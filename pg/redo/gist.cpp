// Resource manager GiST: so far only what follows the restoring of an image (facts/wal-redo.md §2.6).

#include "pg/redo/action.hpp"

namespace strata::pg::redo {

void finish_gist_image(action& of) {
  constexpr std::uint8_t page_update = 0x00, page_split = 0x30;
  constexpr std::size_t special_size = 16, sequence_high = 0, sequence_low = 4, flags = 12;
  constexpr std::uint16_t follow_right = 0x08;
  const bool is_left_child = (of.operation() == page_update && of.record.block_id == 1) ||
                             (of.operation() == page_split && of.record.block_id == 0);
  if (!is_left_child) return;
  page::window special = of.page.special_area(special_size);
  special.store(sequence_high, static_cast<std::uint32_t>(of.end.value >> 32));
  special.store(sequence_low, static_cast<std::uint32_t>(of.end.value));
  special.store(flags, static_cast<std::uint16_t>(special.load<std::uint16_t>(flags) & ~follow_right));
}

void redo_gist(action&) { throw not_written(); }

}  // namespace strata::pg::redo
