#include "pg/page/checksum.hpp"

#include <array>

#include "core/check.hpp"
#include "pg/page/page.hpp"

namespace strata::pg::page {

namespace {

constexpr std::size_t lanes = 32;
constexpr std::size_t row_size = lanes * sizeof(std::uint32_t);
constexpr std::size_t checksum_offset = 8;
constexpr std::uint32_t prime = 16777619;

using sums = std::array<std::uint32_t, lanes>;

// Start values of the lanes. Part of the page format, never change.
constexpr sums start_values = {0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2,
                               0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C,
                               0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979,
                               0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E,
                               0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

inline void mix(sums& into, const std::uint8_t* row) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const std::uint32_t mixed = into[lane] ^ core::load_le<std::uint32_t>(row + lane * sizeof(std::uint32_t));
    into[lane] = mixed * prime ^ mixed >> 17;
  }
}

// The resolver of the variants runs before a sanitizer is ready.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Without 32-bit vector multiplication, which plain x86-64 lacks, this is several times slower.
__attribute__((target_clones("avx2", "sse4.1", "default")))
#endif
void
mix_rows(sums& into, const std::uint8_t* rows, std::size_t count) {
  sums local = into;
  for (std::size_t row = 0; row < count; ++row) mix(local, rows + row * row_size);
  into = local;
}

}  // namespace

std::uint16_t page_checksum(core::bytes_view page, block_number block) {
  core::check(page.size() == page_size, "a page has 8192 bytes");
  std::array<std::uint8_t, row_size> first_row;
  std::memcpy(first_row.data(), page.data(), row_size);
  core::store_le<std::uint16_t>(first_row.data() + checksum_offset, 0);
  constexpr std::array<std::uint8_t, 2 * row_size> two_zero_rows{};

  sums lane_sums = start_values;
  mix_rows(lane_sums, first_row.data(), 1);
  mix_rows(lane_sums, page.data() + row_size, page_size / row_size - 1);
  mix_rows(lane_sums, two_zero_rows.data(), 2);
  std::uint32_t folded = block;
  for (std::uint32_t sum : lane_sums) folded ^= sum;
  return static_cast<std::uint16_t>(folded % 65535 + 1);
}

void set_page_checksum(core::bytes_span page, block_number block) {
  if (slotted_page(page).is_new()) return;
  core::store_le(page.data() + checksum_offset, page_checksum(page, block));
}

}  // namespace strata::pg::page
