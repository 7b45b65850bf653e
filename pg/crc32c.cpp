#include "pg/crc32c.hpp"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace strata::pg {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78u;  // Castagnoli, bits reversed

using byte_table = std::array<std::uint32_t, 256>;

/// tables[n][b]: the effect of byte b on the CRC when n more bytes follow it within one step of eight.
constexpr std::array<byte_table, 8> make_step_tables() {
  std::array<byte_table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t n = 1; n < 8; ++n)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[n][byte] = tables[n - 1][byte] >> 8 ^ tables[0][tables[n - 1][byte] & 0xFF];
  return tables;
}
constexpr auto step_tables = make_step_tables();

#if defined(__x86_64__)

/// The effect of `zeros` zero bytes on a CRC, by the CRC's four bytes. It is linear, so 32 single bits determine it.
constexpr std::array<byte_table, 4> make_shift_tables(std::size_t zeros) {
  std::array<std::uint32_t, 32> of_bit{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = 1u << bit;
    for (std::size_t i = 0; i < zeros; ++i) crc = crc >> 8 ^ step_tables[0][crc & 0xFF];
    of_bit[bit] = crc;
  }
  std::array<byte_table, 4> tables{};
  for (std::size_t part = 0; part < 4; ++part)
    for (std::size_t byte = 0; byte < 256; ++byte)
      for (std::size_t bit = 0; bit < 8; ++bit)
        if (byte >> bit & 1) tables[part][byte] ^= of_bit[part * 8 + bit];
  return tables;
}

// The instruction takes three cycles but one can start every cycle: long inputs run as three chains side by side.
constexpr std::size_t chain_length = 256;
constexpr auto chain_shift = make_shift_tables(chain_length);

std::uint32_t shift_over_chain(std::uint64_t crc) {
  return chain_shift[0][crc & 0xFF] ^ chain_shift[1][crc >> 8 & 0xFF] ^ chain_shift[2][crc >> 16 & 0xFF] ^
         chain_shift[3][crc >> 24 & 0xFF];
}

__attribute__((target("sse4.2"))) std::uint32_t update_sse42(std::uint32_t start, core::bytes_view data) {
  std::uint64_t crc = start;
  const std::uint8_t* at = data.data();
  std::size_t left = data.size();
  for (; left >= 3 * chain_length; at += 3 * chain_length, left -= 3 * chain_length) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < chain_length; i += 8) {
      crc = _mm_crc32_u64(crc, core::load_le<std::uint64_t>(at + i));
      second = _mm_crc32_u64(second, core::load_le<std::uint64_t>(at + chain_length + i));
      third = _mm_crc32_u64(third, core::load_le<std::uint64_t>(at + 2 * chain_length + i));
    }
    crc = shift_over_chain(shift_over_chain(crc) ^ second) ^ third;
  }
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, core::load_le<std::uint64_t>(at));
  auto narrow = static_cast<std::uint32_t>(crc);
  for (; left != 0; ++at, --left) narrow = _mm_crc32_u8(narrow, *at);
  return narrow;
}

bool has_sse42() {
  static const bool has = __builtin_cpu_supports("sse4.2");
  return has;
}

#endif

}  // namespace

std::uint32_t crc32c_update_portable(std::uint32_t crc, core::bytes_view data) {
  const std::uint8_t* at = data.data();
  std::size_t left = data.size();
  for (; left >= 8; at += 8, left -= 8) {
    const auto word = core::load_le<std::uint64_t>(at) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= step_tables[7 - i][word >> 8 * i & 0xFF];
  }
  for (; left != 0; ++at, --left) crc = crc >> 8 ^ step_tables[0][(crc ^ *at) & 0xFF];
  return crc;
}

std::uint32_t crc32c_update(std::uint32_t crc, core::bytes_view data) {
#if defined(__x86_64__)
  if (has_sse42()) return update_sse42(crc, data);
#endif
  return crc32c_update_portable(crc, data);
}

}  // namespace strata::pg
