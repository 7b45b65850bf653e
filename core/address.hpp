#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::core {

/// Where something listens.
struct address {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const address&) const = default;
};

/// "127.0.0.1:5454", "::1:5454" or "[::1]:5454". errc::invalid_argument for anything else, port 0 too.
result<address> parse_address(std::string_view text);

}  // namespace strata::core
