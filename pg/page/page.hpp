#pragma once

#include <span>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/page/window.hpp"
#include "pg/types.hpp"

namespace strata::pg::page {

inline constexpr std::size_t header_size = 24;
inline constexpr std::size_t line_pointer_size = 4;

/// Bits of the page header's flags.
inline constexpr std::uint16_t has_free_lines = 1;
inline constexpr std::uint16_t all_visible = 4;

/// Position of an item in the array of line pointers; the first is 1.
using item_number = std::uint16_t;

constexpr std::size_t align8(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

enum class item_state : std::uint8_t { unused = 0, normal = 1, redirect = 2, dead = 3 };

/// A line pointer in the page's format, in one register: loops over a page's line pointers are the inner loops of
/// redo, and a struct of its three parts would go through memory each time.
class line_pointer {
 public:
  constexpr line_pointer() = default;  ///< unused
  explicit constexpr line_pointer(std::uint32_t word) : word_(word) {}
  static constexpr line_pointer to_storage(std::size_t offset, std::size_t length) {
    return make(offset, item_state::normal, length);
  }
  static constexpr line_pointer redirect_to(item_number item) { return make(item, item_state::redirect, 0); }
  static constexpr line_pointer dead() { return make(0, item_state::dead, 0); }

  /// Offset of the item on the page, or the target item number of a redirect.
  [[nodiscard]] constexpr std::uint16_t offset() const { return word_ & 0x7FFF; }
  [[nodiscard]] constexpr item_state state() const { return static_cast<item_state>(word_ >> 15 & 3); }
  [[nodiscard]] constexpr std::uint16_t length() const { return static_cast<std::uint16_t>(word_ >> 17); }
  [[nodiscard]] constexpr bool has_storage() const { return length() != 0; }
  [[nodiscard]] constexpr bool unused() const { return state() == item_state::unused; }

  [[nodiscard]] constexpr line_pointer at_offset(std::size_t offset) const { return make(offset, state(), length()); }
  [[nodiscard]] constexpr line_pointer in_state(item_state state) const { return make(offset(), state, length()); }
  [[nodiscard]] constexpr line_pointer of_length(std::size_t length) const { return make(offset(), state(), length); }

  [[nodiscard]] constexpr std::uint32_t word() const { return word_; }
  friend constexpr bool operator==(line_pointer, line_pointer) = default;

 private:
  static constexpr line_pointer make(std::size_t offset, item_state state, std::size_t length) {
    return line_pointer((static_cast<std::uint32_t>(offset) & 0x7FFF) | static_cast<std::uint32_t>(state) << 15 |
                        static_cast<std::uint32_t>(length) << 17);
  }

  std::uint32_t word_ = 0;
};

/// A Postgres page: the only way by which redo reads and writes one. Nothing on a page is trusted: every access is
/// checked against the page and throws malformed, and returned windows check as well. The changes are
/// those of docs/formats/wal_records.md, under whose names (in capitals) they are listed; their byte layouts are
/// Postgres's.
class slotted_page {
 public:
  /// `bytes` has page_size bytes and outlives this object.
  explicit slotted_page(core::bytes_span bytes);

  // --- header ---
  [[nodiscard]] core::lsn lsn() const;
  void set_lsn(core::lsn position);
  [[nodiscard]] std::uint16_t lower() const { return load<std::uint16_t>(12); }
  [[nodiscard]] std::uint16_t upper() const { return load<std::uint16_t>(14); }
  [[nodiscard]] std::uint16_t special() const { return load<std::uint16_t>(16); }
  void set_lower(std::size_t value) { store(12, static_cast<std::uint16_t>(value)); }
  [[nodiscard]] std::uint16_t flags() const { return load<std::uint16_t>(10); }
  void set_flags(std::uint16_t flags) { store(10, flags); }
  void set_flag(std::uint16_t flag, bool on = true);
  [[nodiscard]] transaction_id prune_xid() const { return load<std::uint32_t>(20); }
  void set_prune_xid(transaction_id xid) { store(20, xid); }
  /// Whether it was never initialised; then all zero, unless damaged.
  [[nodiscard]] bool is_new() const { return upper() == 0; }
  /// Throws unless header, items and special area follow each other inside the page.
  void require_sane_header() const;
  /// Whether init() was called on this object.
  [[nodiscard]] bool initialised() const { return initialised_; }

  // --- items ---
  [[nodiscard]] item_number item_count() const {
    const std::size_t lower = this->lower();
    require(lower >= header_size && lower <= page_size, "damaged page header");
    return static_cast<item_number>((lower - header_size) / line_pointer_size);
  }
  [[nodiscard]] line_pointer pointer(item_number at) const {
    require_item(at);
    return line_pointer(load<std::uint32_t>(position_of(at)));
  }
  void set_pointer(item_number at, line_pointer value) {
    require_item(at);
    store(position_of(at), value.word());
  }
  /// The bytes of an item that has storage.
  [[nodiscard]] window item(item_number at) const {
    const line_pointer found = pointer(at);
    require_storage(found);
    return window({page_ + found.offset(), found.length()});
  }
  /// The special area, which must have at least this size.
  [[nodiscard]] window special_area(std::size_t size) const;
  /// The bytes between header and special area, on pages without items.
  [[nodiscard]] window body() const;
  [[nodiscard]] core::bytes_view bytes() const { return {page_, page_size}; }

  // --- changes ---
  /// INIT: an empty page.
  void init(std::size_t special_size);
  /// ADD, overwrite mode: in an unused slot without storage, or after the last. Returns the storage, not yet written.
  window add_in_slot(item_number at, std::size_t length);
  /// ADD, insert mode: the items from `at` on move up one slot.
  window insert(item_number at, std::size_t length);
  void insert(item_number at, core::bytes_view item) { insert(at, item.size()).write(0, item); }
  /// The storage half of REPAIR: packs all items against the special area in the order of their line pointers.
  void pack_storage();
  /// REPAIR; Postgres 14 keeps the unused line pointers at the end.
  void repair(bool cut_unused_at_end);
  /// TRUNC
  void truncate_line_pointers();
  /// DEL
  void remove(item_number at);
  /// DELN: later items keep their numbers, so the slot stays as an unused one unless it is the last.
  void remove_keeping_slot(item_number at);
  /// MDEL; `sorted` ascends without repetitions.
  void remove_all(std::span<const item_number> sorted);
  /// OVER
  void overwrite(item_number at, core::bytes_view item);
  /// Copies all bytes of a page that was built beside this one.
  void replace_with(const slotted_page& other);

 private:
  template <class T>
  [[nodiscard]] T load(std::size_t at) const {
    return core::load_le<T>(page_ + at);
  }
  template <class T>
  void store(std::size_t at, T value) {
    core::store_le<T>(page_ + at, value);
  }
  void set_upper(std::size_t value) { store(14, static_cast<std::uint16_t>(value)); }
  static std::size_t position_of(item_number at) { return header_size + (at - std::size_t{1}) * line_pointer_size; }
  void require_item(item_number at) const { require(at >= 1 && at <= item_count(), "no such item on the page"); }
  void require_storage(line_pointer of) const {
    require(of.has_storage(), "item without storage");
    require(special() <= page_size && of.offset() >= header_size, "damaged page header");
    require(of.offset() >= upper() && of.offset() + align8(of.length()) <= special(),
            "item outside the page's storage");
  }
  window place(item_number at, std::size_t length);
  void slide_storage_below(std::size_t offset, std::ptrdiff_t by);

  std::uint8_t* page_;
  bool initialised_ = false;
};

}  // namespace strata::pg::page
