#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::core {

/// A position in a WAL stream: a byte address, page headers included. 0 means "none".
struct lsn {
  std::uint64_t value = 0;

  constexpr lsn() = default;
  constexpr explicit lsn(std::uint64_t position) : value(position) {}

  static constexpr lsn max() { return lsn(std::numeric_limits<std::uint64_t>::max()); }

  constexpr auto operator<=>(const lsn&) const = default;
  [[nodiscard]] constexpr bool valid() const { return value != 0; }
  [[nodiscard]] constexpr bool aligned() const { return value % 8 == 0; }
  /// The first position at or after this one where a record may start or end.
  [[nodiscard]] constexpr lsn align_up() const { return lsn((value + 7) & ~std::uint64_t{7}); }

  constexpr lsn operator+(std::uint64_t bytes) const { return lsn(value + bytes); }
  constexpr lsn operator-(std::uint64_t bytes) const { return lsn(value - bytes); }
  constexpr std::uint64_t operator-(lsn other) const { return value - other.value; }
};

/// Postgres's text form, e.g. "0/3B21F08".
std::string to_string(lsn position);
result<lsn> parse_lsn(std::string_view text);

}  // namespace strata::core
