#include "core/page_key.hpp"

namespace strata::core {

std::string to_string(const page_key& key) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::array<std::uint8_t, page_key::encoded_size> raw{};
  key.encode(raw.data());
  std::string text;
  for (std::uint8_t byte : raw) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace strata::core
