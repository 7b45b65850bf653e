#include "pg/crc32c.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string_view>

namespace strata::pg {
namespace {

core::bytes_view view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

core::bytes noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  core::bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

/// The definition, bit by bit.
std::uint32_t reference(core::bytes_view data) {
  std::uint32_t crc = crc32c_begin;
  for (const auto byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return crc32c_end(crc);
}

BOOST_AUTO_TEST_SUITE(pg_wal_crc32c)

BOOST_AUTO_TEST_CASE(known_inputs_have_their_published_checksums) {
  BOOST_TEST(crc32c(view("123456789")) == 0xE3069283u);
  BOOST_TEST(crc32c({}) == 0u);
  BOOST_TEST(crc32c(core::bytes(32, 0x00)) == 0x8A9136AAu);  // RFC 3720, B.4
  BOOST_TEST(crc32c(core::bytes(32, 0xFF)) == 0x62A8AB43u);
}

BOOST_AUTO_TEST_CASE(the_instruction_the_table_and_the_definition_agree_at_every_length_and_offset) {
  const auto bytes = noise(2600, 1);
  for (std::size_t size = 0; size < bytes.size(); size += size < 300 ? 1 : 37) {
    const auto data = core::bytes_view(bytes).subspan(size % 8 < 5 ? 0 : 3, size - (size % 8 < 5 ? 0 : 3));
    const auto expected = reference(data);
    BOOST_TEST(crc32c(data) == expected);
    BOOST_TEST(crc32c_end(crc32c_update_portable(crc32c_begin, data)) == expected);
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_does_not_depend_on_how_the_bytes_are_cut) {
  const auto bytes = noise(5000, 2);
  const auto whole = crc32c(bytes);
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::uint32_t crc = crc32c_begin;
    core::bytes_view rest = bytes;
    while (!rest.empty()) {
      const auto part = rest.first(std::min<std::size_t>(rest.size(), random() % 1200));
      crc = random() % 2 ? crc32c_update(crc, part) : crc32c_update_portable(crc, part);
      rest = rest.subspan(part.size());
    }
    BOOST_TEST(crc32c_end(crc) == whole);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg
