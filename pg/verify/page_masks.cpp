#include "pg/verify/page_masks.hpp"

#include <algorithm>
#include <cstddef>
#include <sstream>

#include "core/bytes.hpp"
#include "pg/page/page.hpp"

namespace strata::pg::verify {
namespace {

template <class T>
T load(const page_bytes& page, std::size_t at) {
  return core::load_le<T>(page.data() + at);
}
template <class T>
void mask(page_bytes& page, std::size_t at, T bits) {
  core::store_le<T>(page.data() + at, static_cast<T>(load<T>(page, at) & ~bits));
}
void zero(page_bytes& page, std::size_t from, std::size_t end) {
  std::fill(page.begin() + static_cast<std::ptrdiff_t>(from), page.begin() + static_cast<std::ptrdiff_t>(end), 0);
}

// Hint bits, and command ids, which only a running transaction needs; everything else in a tuple counts.
void mask_heap_tuples(page_bytes& page, block_number block) {
  const page::slotted_page items(page);
  for (std::uint16_t at = 1; at <= items.item_count(); ++at) {
    const auto pointer = items.pointer(at);
    if (pointer.state() != page::item_state::normal) continue;
    const std::size_t tuple = pointer.offset();
    if (tuple + page::align8(pointer.length()) > page_size || pointer.length() < 23) continue;
    const auto infomask = load<std::uint16_t>(page, tuple + 20);
    const bool frozen = (infomask & 0x0300) == 0x0300;
    mask<std::uint16_t>(page, tuple + 20, frozen ? 0x0C20 : 0x0F20);
    mask<std::uint32_t>(page, tuple + 8, ~0u);
    if (load<std::uint16_t>(page, tuple + 16) == 0xFFFE) {
      // Postgres keeps the token of a speculative insert here; in WAL the tuple points to itself.
      core::store_le(page.data() + tuple + 12, static_cast<std::uint16_t>(block >> 16));
      core::store_le(page.data() + tuple + 14, static_cast<std::uint16_t>(block));
      core::store_le(page.data() + tuple + 16, at);
    }
    zero(page, tuple + pointer.length(), tuple + page::align8(pointer.length()));
  }
}

// Scans mark entries as dead without WAL.
void mask_dead_marks(page_bytes& page) {
  page::slotted_page items(page);
  for (std::uint16_t at = 1; at <= items.item_count(); ++at) {
    items.set_pointer(at, items.pointer(at).in_state(page::item_state::unused));
  }
}

void mask_btree(page_bytes& page, std::size_t special) {
  const auto flags = load<std::uint16_t>(page, special + 12);
  if (!(flags & 0x01)) return;
  mask<std::uint16_t>(page, special + 12, 0x0060);
  mask<std::uint16_t>(page, special + 14, 0xFFFF);
  if (!(flags & 0x04)) mask_dead_marks(page);
}

// Stricter than Postgres, which ignores the content of unused pages: freeing one reinitialises it, here and there.
void mask_hash(page_bytes& page, std::size_t special) {
  constexpr std::uint16_t overflow_or_bucket = 0x03, has_dead = 0x80;
  if (!(load<std::uint16_t>(page, special + 12) & overflow_or_bucket)) return;
  mask_dead_marks(page);
  mask<std::uint16_t>(page, special + 12, has_dead);
}

// Redo empties the pages of the pending list that it deletes, the server only flags them. A deleted page of a posting
// tree keeps its content in both, and has in place of the prune hint the xid after which it may be reused: there both
// count.
void mask_gin(page_bytes& page, std::size_t special, std::uint32_t prune_xid) {
  constexpr std::uint16_t data = 0x01, deleted = 0x04;
  constexpr std::size_t flags_at = 6;
  if (special != page_size - 8) return;
  const auto flags = load<std::uint16_t>(page, special + flags_at);
  if (flags == deleted) {
    mask<std::uint32_t>(page, 12, ~0u);  // lower and upper
    zero(page, page::header_size, special + flags_at);
  } else if ((flags & data) && (flags & deleted)) {
    core::store_le(page.data() + 20, prune_xid);
  }
}

void mask_gist(page_bytes& page, std::size_t special, lsn_counts lsn) {
  constexpr std::uint16_t leaf = 0x01, tuples_deleted = 0x04, follow_right = 0x08, garbage = 0x10;
  const auto flags = load<std::uint16_t>(page, special + 12);
  if (lsn == lsn_counts::no) {
    // The left child of a split is finished after its image was taken: only pages of a server's files have it.
    mask<std::uint64_t>(page, special, ~std::uint64_t{0});
    mask<std::uint16_t>(page, special + 12, follow_right);
  }
  // Minor releases differ in whether they set the flag of deleted tuples, and scans mark garbage without WAL.
  mask<std::uint16_t>(page, special + 12, tuples_deleted | garbage);
  if (flags & leaf) mask_dead_marks(page);
}

// The meta page keeps, after its magic number, a cache of pages with room, which Postgres changes without WAL.
void mask_spgist(page_bytes& page, std::size_t special) {
  constexpr std::uint16_t meta = 0x01;
  constexpr std::size_t cache = page::header_size + 4, cached_pages = 8, cached_page_size = 8;
  if (load<std::uint16_t>(page, special) & meta) zero(page, cache, cache + cached_pages * cached_page_size);
}

void mask_brin(page_bytes& page, std::size_t special) {
  constexpr std::uint16_t evacuating = 0x01;
  mask<std::uint16_t>(page, special + 4, evacuating);
}

bool is_brin_type(std::uint16_t type) { return type >= 0xF091 && type <= 0xF093; }

// The revmap has no free space: lower and upper do not describe its content.
bool has_hole(const page_bytes& page, page_kind kind, std::size_t lower, std::size_t special) {
  constexpr std::uint16_t brin_revmap = 0xF092;
  if (kind == page_kind::visibility_map) return false;
  if (kind == page_kind::brin) return load<std::uint16_t>(page, special + 6) != brin_revmap;
  if (kind == page_kind::gin) return lower > page::header_size;
  return true;
}

}  // namespace

page_kind kind_of(const page_bytes& page, fork in_fork) {
  if (in_fork == fork::vm) return page_kind::visibility_map;
  if (in_fork == fork::fsm) return page_kind::other;
  switch (const std::size_t special = load<std::uint16_t>(page, 16)) {
    case page_size: return page_kind::heap;
    case page_size - 16: {
      const auto id = load<std::uint16_t>(page, special + 14);
      return id == 0xFF80 ? page_kind::hash : id == 0xFF81 ? page_kind::gist : page_kind::btree;
    }
    case page_size - 8: {
      constexpr std::uint64_t sequence_magic = 0x1717;
      const auto id = load<std::uint16_t>(page, special + 6);
      if (id == 0xFF82) return page_kind::spgist;
      if (is_brin_type(id)) return page_kind::brin;
      return load<std::uint64_t>(page, special) == sequence_magic ? page_kind::sequence : page_kind::gin;
    }
    default: return page_kind::other;
  }
}

page_bytes masked(const page_bytes& from, page_kind kind, block_number block, lsn_counts lsn) {
  page_bytes page = from;
  const page::slotted_page header(page);
  if (header.is_new()) return page;
  if (lsn == lsn_counts::no) mask<std::uint64_t>(page, 0, ~std::uint64_t{0});
  mask<std::uint16_t>(page, 8, 0xFFFF);   // checksum
  mask<std::uint16_t>(page, 10, 0x0003);  // hints about free line pointers and a full page
  mask<std::uint32_t>(page, 20, ~0u);     // hint about pruning
  const std::size_t lower = header.lower(), upper = header.upper(), special = header.special();
  if (!(page::header_size <= lower && lower <= upper && upper <= special && special <= page_size)) return page;
  if (has_hole(page, kind, lower, special)) zero(page, lower, upper);
  switch (kind) {
    case page_kind::heap: mask_heap_tuples(page, block); break;
    case page_kind::btree: mask_btree(page, special); break;
    case page_kind::hash: mask_hash(page, special); break;
    case page_kind::gin: mask_gin(page, special, load<std::uint32_t>(from, 20)); break;
    case page_kind::gist: mask_gist(page, special, lsn); break;
    case page_kind::spgist: mask_spgist(page, special); break;
    case page_kind::brin: mask_brin(page, special); break;
    default: break;
  }
  return page;
}

std::string describe_difference(const page_bytes& ours, const page_bytes& theirs) {
  constexpr std::size_t ranges_max = 16, shown = 8;
  std::ostringstream text;
  std::size_t ranges = 0, unnamed = 0, first = page_size;
  for (std::size_t at = 0; at < page_size; ++at) {
    if (ours[at] == theirs[at]) continue;
    const std::size_t begin = at;
    while (at + 1 < page_size && ours[at + 1] != theirs[at + 1]) ++at;
    if (ranges == 0) first = begin;
    if (ranges == ranges_max) {
      unnamed += at - begin + 1;
      continue;
    }
    text << (ranges++ == 0 ? "bytes " : ", ") << begin;
    if (at > begin) text << '-' << at;
  }
  if (ranges == 0) return "no difference";
  if (unnamed > 0) text << " and " << unnamed << " more";
  const auto show = [&](const char* whose, const page_bytes& page) {
    text << whose << std::hex;
    for (std::size_t at = first; at < std::min(first + shown, page_size); ++at) text << ' ' << int{page[at]};
    text << std::dec;
  };
  show("; from the first on: ours", ours);
  show(", theirs", theirs);
  return text.str();
}

bool all_zero(const page_bytes& page) {
  return std::all_of(page.begin(), page.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace strata::pg::verify
