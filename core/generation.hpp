#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace strata::core {

/// Counts the attachments of a tenant to pageservers. An attachment has a higher generation than every one before it,
/// so that what a superseded pageserver still writes can be told from what its successor writes. 0 means "none".
struct generation {
  std::uint32_t value = 0;

  constexpr generation() = default;
  constexpr explicit generation(std::uint32_t number) : value(number) {}

  constexpr auto operator<=>(const generation&) const = default;
  [[nodiscard]] constexpr bool valid() const { return value != 0; }
};

/// Eight upper-case hex digits, as in the names of layers.
std::string to_string(generation of);

}  // namespace strata::core
