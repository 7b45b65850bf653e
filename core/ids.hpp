#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::core {

/// 16 random bytes, written as 32 lower-case hex digits. The tag keeps a tenant from being passed for a timeline.
template <class Tag>
struct random_id {
  std::array<std::uint8_t, 16> value{};
  auto operator<=>(const random_id&) const = default;
  [[nodiscard]] bool valid() const { return *this != random_id{}; }
};

using tenant_id = random_id<struct tenant_tag>;
/// Unique within its tenant only.
using timeline_id = random_id<struct timeline_tag>;
/// A timeline within a cluster.
struct timeline_key {
  tenant_id tenant;
  timeline_id timeline;
  auto operator<=>(const timeline_key&) const = default;
};

std::string hex(const std::array<std::uint8_t, 16>& value);
result<std::array<std::uint8_t, 16>> parse_hex(std::string_view text);
std::array<std::uint8_t, 16> random_bytes();

template <class Tag>
std::string to_string(const random_id<Tag>& id) {
  return hex(id.value);
}
template <class Id>
result<Id> parse_id(std::string_view text) {
  STRATA_ASSIGN(auto value, parse_hex(text));
  return Id{value};
}
template <class Id>
Id make_id() {
  return Id{random_bytes()};
}

}  // namespace strata::core

template <class Tag>
struct std::hash<strata::core::random_id<Tag>> {
  std::size_t operator()(const strata::core::random_id<Tag>& id) const noexcept {
    std::size_t mixed = 0;
    for (std::uint8_t byte : id.value) mixed = mixed * 1099511628211u + byte;
    return mixed;
  }
};
