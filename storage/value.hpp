#pragma once

#include <cstdint>

#include "core/bytes.hpp"

namespace strata::storage {

/// A stored value is one tag byte and a payload (docs/formats/values.md). On disk: never renumber.
enum class value_kind : std::uint8_t {
  image = 1,          ///< the whole page, or the whole metadata value (empty: does not exist)
  block_record = 2,   ///< pg::redo::block_record, to be applied to the older version of the page
  strata_record = 3,  ///< storage/strata_record.hpp, likewise
};
/// Or-ed into the tag of a record that needs no older version: it starts from a page of zeros.
inline constexpr std::uint8_t initial_flag = 0x80;

struct value_view {
  value_kind kind{};
  bool initial = false;
  core::bytes_view payload;
  /// Whether the page is rebuilt without older versions.
  [[nodiscard]] bool complete() const { return kind == value_kind::image || initial; }
};

constexpr std::uint8_t value_tag(value_kind kind, bool initial) {
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | (initial ? initial_flag : 0));
}
/// Precondition: stored is not empty. Unknown kinds are returned unchanged; reconstruction refuses them.
inline value_view view_of(core::bytes_view stored) {
  return {static_cast<value_kind>(stored[0] & ~initial_flag), (stored[0] & initial_flag) != 0, stored.subspan(1)};
}

}  // namespace strata::storage
