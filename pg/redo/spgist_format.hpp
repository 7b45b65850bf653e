#pragma once

#include <array>

#include "pg/redo/item_list.hpp"

/// Byte layout of SP-GiST pages and tuples, and the changes of pages that several of its records share; in capitals
/// their names in docs/formats/wal_records.md. Numbers of Postgres, never renumber.
namespace strata::pg::redo::spgist {

using page::item_number;

namespace special {
inline constexpr std::size_t size = 8;
inline constexpr std::size_t flags = 0;
inline constexpr std::size_t redirects = 2;     ///< how many items of the page are redirects
inline constexpr std::size_t placeholders = 4;  ///< and placeholders
inline constexpr std::size_t id = 6;
}  // namespace special

inline constexpr std::uint16_t leaf_page = 0x04;
inline constexpr std::uint16_t nulls_page = 0x08;
inline constexpr std::uint16_t page_id = 0xFF82;

/// In the low bits of a tuple's first word. Chains and parents address tuples by item number, so a removed tuple
/// leaves one of the last three in its slot.
enum class tuple_state : std::uint8_t { live = 0, redirect = 1, dead = 2, placeholder = 3 };

/// Place of a tuple; by default none.
struct tuple_place {
  block_number block = 0xFFFFFFFF;
  item_number item = 0;
};

/// The content of a removed tuple's slot.
using remnant = std::array<std::uint8_t, 16>;
/// Only a redirect has a target and a transaction.
remnant make_remnant(tuple_state state, tuple_place target, transaction_id xid);

tuple_state state_of(const page::slotted_page& page, item_number at);

/// Take the tuple that starts at the cursor; neither is aligned in records.
core::bytes_view take_leaf(page::cursor& from);
core::bytes_view take_inner(page::cursor& from);

/// The special area of a page that must belong to an SP-GiST index.
page::window special_of(const page::slotted_page& page);
void start_page(action& of, std::uint16_t flags);
void change_count(page::slotted_page& page, std::size_t counter, int by);

/// PUT: after the last item or in the place of a placeholder.
void put(page::slotted_page& page, item_number at, core::bytes_view tuple);
/// Puts another tuple into a slot in use.
void replace(page::slotted_page& page, item_number at, core::bytes_view tuple);

/// What KILL leaves of the first item in the record's list, and of the others.
struct remains {
  tuple_state first = tuple_state::placeholder;
  tuple_state others = tuple_state::placeholder;
  tuple_place target{};
  transaction_id xid = 0;
};
/// KILL
void kill(page::slotted_page& page, const item_list& items, const remains& left);

/// LINK: makes a node of an inner tuple lead to `target`.
void link(page::slotted_page& page, item_number inner, std::size_t node, tuple_place target);
/// Sets the next item of a leaf tuple's chain.
void chain(page::slotted_page& page, item_number leaf, item_number next);

/// Turns redirects that no transaction can follow any more into placeholders.
void forget_redirects(page::slotted_page& page, const item_list& items);
/// Removes all items from `first` on, which are placeholders.
void cut_placeholders(page::slotted_page& page, item_number first);

}  // namespace strata::pg::redo::spgist
