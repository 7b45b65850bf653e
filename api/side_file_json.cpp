#include "api/side_file_json.hpp"

#include <lz4.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace strata::api {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint64_t size_max = 8u << 20;

std::string base64(core::bytes_view from) {
  std::string to;
  to.reserve((from.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < from.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, from.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? from[at + i] : 0u);
    for (std::size_t i = 0; i < 4; ++i) to += i <= count ? digits[group >> (18 - 6 * i) & 63] : '=';
  }
  return to;
}

std::optional<core::bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  static const auto values = [] {
    std::array<int, 256> made{};
    made.fill(-1);
    for (std::size_t i = 0; i < digits.size(); ++i) made[static_cast<unsigned char>(digits[i])] = static_cast<int>(i);
    return made;
  }();
  core::bytes to;
  to.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t group = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
      const bool is_padding = i >= text.size() - padding;
      const int value = is_padding ? 0 : values[static_cast<unsigned char>(text[i])];
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    for (int shift = 16; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(group >> shift));
  }
  to.resize(to.size() - padding);
  return to;
}

core::error refused(const char* why) { return {core::errc::invalid_argument, std::string("a side file: ") + why}; }

}  // namespace

void put_content(nlohmann::json& into, core::bytes_view content) {
  core::bytes block(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(content.size()))));
  const int size =
      LZ4_compress_default(reinterpret_cast<const char*>(content.data()), reinterpret_cast<char*>(block.data()),
                           static_cast<int>(content.size()), static_cast<int>(block.size()));
  into["size"] = content.size();
  into["content"] = base64(core::bytes_view(block).first(static_cast<std::size_t>(std::max(size, 0))));
}

core::result<core::bytes> content_of(const nlohmann::json& file) {
  const auto size = file.find("size");
  const auto text = file.find("content");
  if (size == file.end() || !size->is_number_unsigned() || text == file.end() || !text->is_string())
    return refused("size must be a number and content a text");
  if (size->get<std::uint64_t>() > size_max) return refused("it is too large");
  const auto block = from_base64(text->get_ref<const std::string&>());
  if (!block) return refused("its content is not base64");
  core::bytes content(size->get<std::uint64_t>());
  // A block of nothing has a byte, too; there is no room for it otherwise.
  core::bytes room(std::max<std::size_t>(content.size(), 1));
  const int made =
      LZ4_decompress_safe(reinterpret_cast<const char*>(block->data()), reinterpret_cast<char*>(room.data()),
                          static_cast<int>(block->size()), static_cast<int>(content.size()));
  if (made < 0 || static_cast<std::size_t>(made) != content.size())
    return refused("its content is not an LZ4 block of that size");
  std::copy_n(room.begin(), content.size(), content.begin());
  return content;
}

}  // namespace strata::api
