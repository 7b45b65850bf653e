#include "core/lsn.hpp"

#include <charconv>
#include <cstdio>

namespace strata::core {

std::string to_string(lsn position) {
  char text[24];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(position.value >> 32),
                static_cast<unsigned>(position.value));
  return text;
}

result<lsn> parse_lsn(std::string_view text) {
  const auto malformed = [&] {
    return error{errc::invalid_argument, "\"" + std::string(text) + "\" is not an LSN; write it as 0/3B21F08"};
  };
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return malformed();
  const auto half = [](std::string_view digits, std::uint64_t& out) {
    if (digits.empty() || digits.size() > 8) return false;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), out, 16);
    return failure == std::errc() && end == digits.data() + digits.size();
  };
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  if (!half(text.substr(0, slash), high) || !half(text.substr(slash + 1), low)) return malformed();
  return lsn(high << 32 | low);
}

}  // namespace strata::core
