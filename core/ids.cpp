#include "core/ids.hpp"

#include <sys/random.h>

#include "core/check.hpp"

namespace strata::core {

std::string hex(const std::array<std::uint8_t, 16>& value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::uint8_t byte : value) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

result<std::array<std::uint8_t, 16>> parse_hex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::array<std::uint8_t, 16> value{};
  bool good = text.size() == 32;
  for (std::size_t i = 0; good && i < 32; ++i) {
    const int d = digit(text[i]);
    good = d >= 0;
    value[i / 2] = static_cast<std::uint8_t>(value[i / 2] << 4 | (d & 15));
  }
  if (!good) return error{errc::invalid_argument, "\"" + std::string(text) + "\" is not an id; ids are 32 hex digits"};
  return value;
}

std::array<std::uint8_t, 16> random_bytes() {
  std::array<std::uint8_t, 16> value{};
  check(getrandom(value.data(), value.size(), 0) == static_cast<ssize_t>(value.size()), "getrandom gives 16 bytes");
  return value;
}

}  // namespace strata::core
