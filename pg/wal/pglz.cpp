#include "pg/wal/pglz.hpp"

#include <cstring>

namespace strata::pg::wal {
namespace {

constexpr std::size_t word = 8;
constexpr std::size_t shortest_match = 3;
constexpr std::size_t longest_plain_match = 18;

/// Copies the bytes that are `distance` bytes before `to`. They may overlap: a short distance repeats a pattern.
inline void copy_back(std::uint8_t* to, std::size_t distance, std::size_t length, std::size_t room) {
  const std::uint8_t* from = to - distance;
  if (distance >= word && room >= length + word) {
    // Whole words may run past the match into bytes that are written later anyway.
    for (std::size_t done = 0; done < length; done += word)
      core::store_le(to + done, core::load_le<std::uint64_t>(from + done));
    return;
  }
  for (std::size_t i = 0; i < length; ++i) to[i] = from[i];
}

}  // namespace

bool decompress_pglz(core::bytes_view packed, core::bytes_span into) {
  const std::uint8_t* in = packed.data();
  const std::uint8_t* const in_end = in + packed.size();
  std::uint8_t* const out_begin = into.data();
  std::uint8_t* out = out_begin;
  std::uint8_t* const out_end = out + into.size();

  while (in < in_end && out < out_end) {
    unsigned control = *in++;
    if (control == 0 && in_end - in >= 8 && out_end - out >= 8) {
      core::store_le(out, core::load_le<std::uint64_t>(in));
      in += 8;
      out += 8;
      continue;
    }
    for (int item = 0; item < 8 && in < in_end && out < out_end; ++item, control >>= 1) {
      if ((control & 1) == 0) {
        *out++ = *in++;
        continue;
      }
      if (in_end - in < 2) return false;
      std::size_t length = (in[0] & 0x0F) + shortest_match;
      const std::size_t distance = std::size_t{in[0] & 0xF0u} << 4 | in[1];
      in += 2;
      if (length == longest_plain_match) {
        if (in == in_end) return false;
        length += *in++;
      }
      const auto room = static_cast<std::size_t>(out_end - out);
      if (distance == 0 || distance > static_cast<std::size_t>(out - out_begin) || length > room) return false;
      copy_back(out, distance, length, room);
      out += length;
    }
  }
  return in == in_end && out == out_end;
}

}  // namespace strata::pg::wal
