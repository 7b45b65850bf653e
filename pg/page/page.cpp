#include "pg/page/page.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/check.hpp"

namespace strata::pg::page {

namespace {
constexpr std::uint16_t size_and_layout_version = 0x2004;
}

void throw_malformed(const char* what) { throw malformed(what); }

slotted_page::slotted_page(core::bytes_span bytes) : page_(bytes.data()) {
  core::check(bytes.size() == page_size, "a page has 8192 bytes");
}

core::lsn slotted_page::lsn() const {
  return core::lsn(std::uint64_t{load<std::uint32_t>(0)} << 32 | load<std::uint32_t>(4));
}

void slotted_page::set_lsn(core::lsn position) {
  store(0, static_cast<std::uint32_t>(position.value >> 32));
  store(4, static_cast<std::uint32_t>(position.value));
}

void slotted_page::set_flag(std::uint16_t flag, bool on) {
  set_flags(static_cast<std::uint16_t>(on ? flags() | flag : flags() & ~flag));
}

void slotted_page::require_sane_header() const {
  const std::size_t lower = this->lower(), upper = this->upper(), special = this->special();
  require(header_size <= lower && lower <= upper && upper <= special && special <= page_size && special % 8 == 0,
          "damaged page header");
}

window slotted_page::special_area(std::size_t size) const {
  const std::size_t special = this->special();
  require(special >= header_size && special + size <= page_size, "special area too small");
  return window({page_ + special, page_size - special});
}

window slotted_page::body() const {
  const std::size_t special = this->special();
  require(special >= header_size && special <= page_size, "damaged page header");
  return window({page_ + header_size, special - header_size});
}

void slotted_page::init(std::size_t special_size) {
  std::memset(page_, 0, page_size);
  const auto special = static_cast<std::uint16_t>(page_size - align8(special_size));
  set_lower(header_size);
  set_upper(special);
  store(16, special);
  store(18, size_and_layout_version);
  initialised_ = true;
}

// The slot exists already; its storage is taken from the end of the free space. The padding after the item is not
// written, as in Postgres.
window slotted_page::place(item_number at, std::size_t length) {
  const std::size_t aligned = align8(length);
  require(lower() + aligned <= upper(), "no room on the page");
  const auto offset = static_cast<std::uint16_t>(upper() - aligned);
  set_pointer(at, line_pointer::to_storage(offset, length));
  set_upper(offset);
  return window({page_ + offset, length});
}

window slotted_page::add_in_slot(item_number at, std::size_t length) {
  require_sane_header();
  const item_number count = item_count();
  require(at >= 1 && at <= count + 1, "item number leaves a gap");
  if (at <= count) {
    const line_pointer old = pointer(at);
    require(old.unused() && !old.has_storage(), "item number in use");
  } else {
    require(lower() + line_pointer_size <= upper(), "no room on the page");
    set_lower(lower() + line_pointer_size);
  }
  return place(at, length);
}

window slotted_page::insert(item_number at, std::size_t length) {
  require_sane_header();
  const item_number count = item_count();
  require(at >= 1 && at <= count + 1, "item number leaves a gap");
  require(lower() + line_pointer_size <= upper(), "no room on the page");
  std::uint8_t* slot = page_ + position_of(at);
  std::memmove(slot + line_pointer_size, slot, (count + std::size_t{1} - at) * line_pointer_size);
  set_lower(lower() + line_pointer_size);
  return place(at, length);
}

// A page that was packed before has most of its items in place, and the others in few ranges.
void slotted_page::pack_storage() {
  require_sane_header();
  const std::size_t upper = this->upper(), special = this->special(), lower = this->lower();
  struct stretch {
    std::uint16_t from, to, length;
  };
  std::array<stretch, page_size / line_pointer_size> moved;
  std::size_t count = 0, first_byte = page_size, end_byte = 0, packed = special;
  std::uint8_t* slot = page_ + header_size;
  for (std::uint8_t* const end = slot + item_count() * line_pointer_size; slot != end; slot += line_pointer_size) {
    const line_pointer current(core::load_le<std::uint32_t>(slot));
    if (!current.has_storage()) continue;
    const std::size_t offset = current.offset(), aligned = align8(current.length());
    require(offset >= upper && offset + aligned <= special, "item outside the page's storage");
    require(packed >= lower + aligned, "items overlap");
    packed -= aligned;
    if (offset == packed) continue;
    core::store_le(slot, current.at_offset(packed).word());
    first_byte = std::min(first_byte, offset);
    end_byte = std::max(end_byte, offset + aligned);
    if (count > 0 && moved[count - 1].from == offset + aligned && moved[count - 1].to == packed + aligned) {
      moved[count - 1].from = static_cast<std::uint16_t>(offset);
      moved[count - 1].to = static_cast<std::uint16_t>(packed);
      moved[count - 1].length = static_cast<std::uint16_t>(moved[count - 1].length + aligned);
    } else {
      moved[count++] = {static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(packed),
                        static_cast<std::uint16_t>(aligned)};
    }
  }
  set_upper(packed);
  if (count == 1) {
    std::memmove(page_ + moved[0].to, page_ + moved[0].from, moved[0].length);
  } else if (count > 1) {
    std::array<std::uint8_t, page_size> before;
    std::memcpy(before.data() + first_byte, page_ + first_byte, end_byte - first_byte);
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(page_ + moved[i].to, before.data() + moved[i].from, moved[i].length);
  }
}

void slotted_page::repair(bool cut_unused_at_end) {
  std::uint8_t* const first = page_ + header_size;
  std::uint8_t* const end = first + item_count() * line_pointer_size;
  std::uint8_t* used_end = first;
  std::size_t used = 0;
  for (std::uint8_t* slot = first; slot != end; slot += line_pointer_size) {
    if (line_pointer(core::load_le<std::uint32_t>(slot)).unused()) {
      core::store_le(slot, line_pointer().word());
    } else {
      ++used;
      used_end = slot + line_pointer_size;
    }
  }
  std::uint8_t* const kept_end = cut_unused_at_end ? used_end : end;
  if (cut_unused_at_end) set_lower(static_cast<std::size_t>(used_end - page_));
  set_flag(has_free_lines, used * line_pointer_size < static_cast<std::size_t>(kept_end - first));
  pack_storage();
}

void slotted_page::truncate_line_pointers() {
  item_number last = item_count();
  while (last > 1 && pointer(last).unused()) --last;
  if (last < item_count()) set_lower(header_size + last * line_pointer_size);
  bool any_unused = false;
  for (item_number at = 1; at <= last && !any_unused; ++at) any_unused = pointer(at).unused();
  set_flag(has_free_lines, any_unused);
}

// Moves the bytes in [upper, offset) and adjusts the line pointers, that of the item at `offset` included.
void slotted_page::slide_storage_below(std::size_t offset, std::ptrdiff_t by) {
  const std::size_t upper = this->upper();
  std::memmove(page_ + upper + by, page_ + upper, offset - upper);
  set_upper(upper + by);
  // The hottest loop of index redo: all line pointers; count is inside the page.
  std::uint8_t* slot = page_ + header_size;
  for (std::uint8_t* const end = slot + item_count() * line_pointer_size; slot != end; slot += line_pointer_size) {
    const line_pointer current(core::load_le<std::uint32_t>(slot));
    if (!current.has_storage() || current.offset() > offset) continue;
    core::store_le(slot, current.at_offset(current.offset() + static_cast<std::size_t>(by)).word());
  }
}

void slotted_page::remove(item_number at) {
  require_sane_header();
  const line_pointer removed = pointer(at);
  require_storage(removed);
  const item_number count = item_count();
  std::uint8_t* slot = page_ + position_of(at);
  std::memmove(slot, slot + line_pointer_size, (std::size_t{count} - at) * line_pointer_size);
  set_lower(lower() - line_pointer_size);
  slide_storage_below(removed.offset(), static_cast<std::ptrdiff_t>(align8(removed.length())));
}

void slotted_page::remove_keeping_slot(item_number at) {
  require_sane_header();
  const line_pointer removed = pointer(at);
  require_storage(removed);
  set_pointer(at, {});
  if (at == item_count()) set_lower(lower() - line_pointer_size);
  slide_storage_below(removed.offset(), static_cast<std::ptrdiff_t>(align8(removed.length())));
}

void slotted_page::remove_all(std::span<const item_number> sorted) {
  const item_number count = item_count();
  item_number previous = 0;
  for (item_number at : sorted) {
    require(at > previous && at <= count, "items to remove are not in order");
    previous = at;
  }
  // Postgres removes up to two one by one, and the two ways give different bytes.
  if (sorted.size() <= 2) {
    for (std::size_t i = sorted.size(); i-- > 0;) remove(sorted[i]);
    return;
  }
  item_number kept = 0;
  std::size_t next = 0;
  for (item_number at = 1; at <= count; ++at) {
    if (next < sorted.size() && sorted[next] == at)
      ++next;
    else
      set_pointer(++kept, pointer(at));
  }
  set_lower(header_size + kept * line_pointer_size);
  pack_storage();
}

void slotted_page::overwrite(item_number at, core::bytes_view item) {
  require_sane_header();
  line_pointer current = pointer(at);
  require_storage(current);
  const std::size_t before = align8(current.length()), after = align8(item.size());
  require(!item.empty() && after <= before + (std::size_t{upper()} - lower()), "no room on the page");
  if (before != after) {
    slide_storage_below(current.offset(), static_cast<std::ptrdiff_t>(before) - static_cast<std::ptrdiff_t>(after));
    current = pointer(at);
  }
  set_pointer(at, current.of_length(item.size()));
  this->item(at).write(0, item);
}

void slotted_page::replace_with(const slotted_page& other) { std::memcpy(page_, other.page_, page_size); }

}  // namespace strata::pg::page
