#include "core/url.hpp"

#include <charconv>
#include <cstdint>

namespace strata::core {

std::string url_encoded(std::string_view text, std::string_view plain) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  static constexpr std::string_view unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (unreserved.find(c) != std::string_view::npos || plain.find(c) != std::string_view::npos)
      made += c;
    else
      made += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return made;
}

std::string url_decoded(std::string_view text, bool in_query) {
  std::string made;
  made.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && text.size() - i > 2 && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      made += static_cast<char>(byte);
      i += 2;
    } else {
      made += in_query && text[i] == '+' ? ' ' : text[i];
    }
  }
  return made;
}

}  // namespace strata::core
