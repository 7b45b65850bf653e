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
/// What parse_address and URLs take: the host of an IPv6 address in brackets.
std::string address_text(std::string_view host, std::uint16_t port);

/// Only programs of this machine reach it: 127.0.0.0/8, ::1 in any notation. A name is none, whatever it resolves to.
bool is_loopback(std::string_view host);

}  // namespace strata::core
