#include "tests/support/page_masks.hpp"

#include <algorithm>
#include <cstddef>
#include <sstream>

#include "core/bytes.hpp"
#include "pg/page/page.hpp"

namespace strata::tests {
namespace {

template <class T>
void mask(page_bytes& page, std::size_t at, T bits) {
  core::store_le<T>(page.data() + at, static_cast<T>(core::load_le<T>(page.data() + at) & ~bits));
}

// Hint bits, and command ids, which only a running transaction needs; everything else in a tuple counts.
void mask_heap_tuples(page_bytes& page, pg::block_number block) {
  const pg::page::slotted_page items(page);
  for (std::uint16_t at = 1; at <= items.item_count(); ++at) {
    const auto pointer = items.pointer(at);
    if (pointer.state != pg::page::item_state::normal) continue;
    const std::size_t tuple = pointer.offset;
    const auto infomask = core::load_le<std::uint16_t>(page.data() + tuple + 20);
    const bool frozen = (infomask & 0x0300) == 0x0300;
    mask<std::uint16_t>(page, tuple + 20, frozen ? 0x0C20 : 0x0F20);
    mask<std::uint32_t>(page, tuple + 8, ~0u);
    if (core::load_le<std::uint16_t>(page.data() + tuple + 16) == 0xFFFE) {
      // Postgres keeps the token of a speculative insert here; in WAL the tuple points to itself.
      core::store_le(page.data() + tuple + 12, static_cast<std::uint16_t>(block >> 16));
      core::store_le(page.data() + tuple + 14, static_cast<std::uint16_t>(block));
      core::store_le(page.data() + tuple + 16, at);
    }
    const auto padding = page.begin() + static_cast<std::ptrdiff_t>(tuple + pointer.length);
    std::fill(padding, page.begin() + static_cast<std::ptrdiff_t>(tuple + pg::page::align8(pointer.length)), 0);
  }
}

void mask_btree_hints(page_bytes& page) {
  pg::page::slotted_page items(page);
  const std::size_t special = items.special();
  const auto flags = core::load_le<std::uint16_t>(page.data() + special + 12);
  if (!(flags & 1)) return;
  mask<std::uint16_t>(page, special + 12, 0x0060);
  mask<std::uint16_t>(page, special + 14, 0xFFFF);
  if (flags & 4) return;
  for (std::uint16_t at = 1; at <= items.item_count(); ++at) {
    auto pointer = items.pointer(at);
    pointer.state = pg::page::item_state::unused;
    items.set_pointer(at, pointer);
  }
}

}  // namespace

page_kind kind_of(const page_bytes& page, pg::fork in_fork) {
  if (in_fork == pg::fork::vm) return page_kind::visibility_map;
  if (in_fork == pg::fork::fsm) return page_kind::other;
  switch (core::load_le<std::uint16_t>(page.data() + 16)) {
    case 8192: return page_kind::heap;
    case 8176: return page_kind::btree;
    case 8184: return page_kind::sequence;
    default: return page_kind::other;
  }
}

page_bytes masked(const page_bytes& from, page_kind kind, pg::block_number block, lsn_counts lsn) {
  page_bytes page = from;
  const pg::page::slotted_page header(page);
  if (header.is_new()) return page;
  if (lsn == lsn_counts::no) mask<std::uint64_t>(page, 0, ~std::uint64_t{0});
  mask<std::uint16_t>(page, 8, 0xFFFF);   // checksum
  mask<std::uint16_t>(page, 10, 0x0003);  // hints about free line pointers and a full page
  mask<std::uint32_t>(page, 20, ~0u);     // hint about pruning
  if (kind == page_kind::visibility_map) return page;
  std::fill(page.begin() + header.lower(), page.begin() + header.upper(), 0);
  if (kind == page_kind::heap) mask_heap_tuples(page, block);
  if (kind == page_kind::btree) mask_btree_hints(page);
  return page;
}

std::string first_difference(const page_bytes& ours, const page_bytes& theirs) {
  const auto at = std::mismatch(ours.begin(), ours.end(), theirs.begin()).first - ours.begin();
  std::ostringstream text;
  text << "byte " << at << std::hex << ": ours";
  for (std::size_t i = 0; i < 8 && static_cast<std::size_t>(at) + i < ours.size(); ++i)
    text << ' ' << int{ours[static_cast<std::size_t>(at) + i]};
  text << ", theirs";
  for (std::size_t i = 0; i < 8 && static_cast<std::size_t>(at) + i < theirs.size(); ++i)
    text << ' ' << int{theirs[static_cast<std::size_t>(at) + i]};
  return text.str();
}

bool all_zero(const page_bytes& page) {
  return std::all_of(page.begin(), page.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace strata::tests
