#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/bytes.hpp"

namespace strata::core {

/// The address of one stored value: six fields, 18 bytes big-endian, ordered as its bytes.
/// What the fields mean for each kind of object is in storage/key_space.hpp.
struct page_key {
  static constexpr std::size_t encoded_size = 18;

  std::uint8_t kind = 0;
  std::uint32_t tablespace = 0;
  std::uint32_t database = 0;
  std::uint32_t relation = 0;
  std::uint8_t fork = 0;
  std::uint32_t block = 0;

  auto operator<=>(const page_key&) const = default;

  static constexpr page_key min() { return {}; }
  static constexpr page_key max() { return {0xFF, ~0u, ~0u, ~0u, 0xFF, ~0u}; }

  void encode(std::uint8_t* to) const {
    to[0] = kind;
    store_be(to + 1, tablespace);
    store_be(to + 5, database);
    store_be(to + 9, relation);
    to[13] = fork;
    store_be(to + 14, block);
  }
  static page_key decode(const std::uint8_t* from) {
    return {
        from[0],  load_be<std::uint32_t>(from + 1), load_be<std::uint32_t>(from + 5), load_be<std::uint32_t>(from + 9),
        from[13], load_be<std::uint32_t>(from + 14)};
  }
  /// The smallest key greater than this one; max() stays max().
  [[nodiscard]] page_key next() const {
    std::array<std::uint8_t, encoded_size> raw{};
    encode(raw.data());
    for (std::size_t i = encoded_size; i-- > 0;)
      if (++raw[i] != 0) return decode(raw.data());
    return max();
  }
};

/// 36 upper-case hex digits.
std::string to_string(const page_key& key);

/// Half-open: begin <= key < end.
struct key_range {
  page_key begin;
  page_key end;
  [[nodiscard]] bool contains(const page_key& key) const { return begin <= key && key < end; }
  [[nodiscard]] bool overlaps(const key_range& other) const { return begin < other.end && other.begin < end; }
  bool operator==(const key_range&) const = default;
};

struct page_key_hash {
  std::size_t operator()(const page_key& key) const noexcept {
    const auto mix = [](std::uint64_t h) {
      h ^= h >> 32;
      h *= 0xd6e8feb86659fd93u;
      h ^= h >> 32;
      h *= 0xd6e8feb86659fd93u;
      return h ^ h >> 32;
    };
    const std::uint64_t low = std::uint64_t{key.relation} << 32 | key.block;
    const std::uint64_t high = std::uint64_t{key.tablespace} << 32 | key.database;
    return mix(low ^ mix(high + (std::uint64_t{key.kind} << 8 | key.fork)));
  }
};

}  // namespace strata::core
