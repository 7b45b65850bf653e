#include "core/address.hpp"

#include <charconv>

namespace strata::core {

result<address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    address found{std::string(host), 0};
    const char* const end = text.data() + text.size();
    const auto [stopped, failed] = std::from_chars(text.data() + colon + 1, end, found.port);
    if (failed == std::errc() && stopped == end && found.port != 0 && !host.empty()) return found;
  }
  return error{errc::invalid_argument, "\"" + std::string(text.substr(0, 64)) + "\" is no HOST:PORT"};
}

}  // namespace strata::core
