#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::core {

/// A host and a port.
struct address {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const address&) const = default;
};

/// "127.0.0.1:5454", "::1:5454" or "[::1]:5454". errc::invalid_argument for anything else, port 0 included.
result<address> parse_address(std::string_view text);
/// The text form that parse_address and URLs accept: an IPv6 host in brackets.
std::string address_text(std::string_view host, std::uint16_t port);

/// True for addresses that only this machine can reach: 127.0.0.0/8, and ::1 in any notation. False for host names.
bool is_loopback(std::string_view host);

}  // namespace strata::core
