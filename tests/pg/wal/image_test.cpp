#include <lz4.h>
#include <zstd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>

#include "pg/wal/pglz.hpp"
#include "pg/wal/record.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::pg::wal {
namespace {

constexpr core::lsn end_lsn{0x0000000511223348};

/// Greedy, with the last place of every three bytes; good enough to make all kinds of items.
core::bytes compress_pglz(core::bytes_view from) {
  core::bytes packed;
  std::map<std::uint32_t, std::size_t> last_place;
  std::size_t control = 0;
  int items = 8;
  for (std::size_t at = 0; at < from.size();) {
    if (items == 8) {
      control = packed.size();
      packed.push_back(0);
      items = 0;
    }
    std::size_t length = 0;
    std::size_t distance = 0;
    if (from.size() - at >= 3) {
      const std::uint32_t key = from[at] | from[at + 1] << 8 | from[at + 2] << 16;
      if (const auto found = last_place.find(key); found != last_place.end() && at - found->second <= 4095) {
        distance = at - found->second;
        while (length < 273 && at + length < from.size() && from[at + length] == from[at + length - distance]) ++length;
      }
      last_place[key] = at;
    }
    if (length >= 3) {
      packed[control] |= static_cast<std::uint8_t>(1 << items);
      packed.push_back(static_cast<std::uint8_t>((distance >> 4 & 0xF0) | (length >= 18 ? 15 : length - 3)));
      packed.push_back(static_cast<std::uint8_t>(distance));
      if (length >= 18) packed.push_back(static_cast<std::uint8_t>(length - 18));
      at += length;
    } else {
      packed.push_back(from[at++]);
    }
    ++items;
  }
  return packed;
}

core::bytes compress(image_compression how, core::bytes_view from) {
  core::bytes packed(2 * page_size + 64);
  switch (how) {
    case image_compression::none: return core::bytes(from.begin(), from.end());
    case image_compression::pglz: return compress_pglz(from);
    case image_compression::lz4:
      packed.resize(static_cast<std::size_t>(
          LZ4_compress_default(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(packed.data()),
                               static_cast<int>(from.size()), static_cast<int>(packed.size()))));
      break;
    case image_compression::zstd:
      packed.resize(ZSTD_compress(packed.data(), packed.size(), from.data(), from.size(), 3));
      break;
  }
  return packed;
}

/// A page with a header, a hole and contents that compress well or badly.
core::bytes random_page(std::mt19937& random, std::uint16_t hole_offset, std::uint16_t hole_length) {
  core::bytes page(page_size);
  const unsigned variety = 1 + random() % 255;
  for (auto& byte : page) byte = static_cast<std::uint8_t>(random() % variety);
  core::store_le<std::uint16_t>(page.data() + 14, 8192);
  std::fill_n(page.begin() + hole_offset, hole_length, std::uint8_t{0});
  return page;
}

constexpr image_compression ways[] = {image_compression::none, image_compression::pglz, image_compression::lz4,
                                      image_compression::zstd};

BOOST_AUTO_TEST_SUITE(pg_wal_image)

BOOST_AUTO_TEST_CASE(an_image_gives_its_page_back_with_the_hole_and_the_lsn) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    std::uint16_t offset = 0;
    std::uint16_t length = 0;
    if (round % 4 != 0) {
      offset = static_cast<std::uint16_t>(24 + random() % 4000);
      length = static_cast<std::uint16_t>(1 + random() % (page_size - offset));
    }
    auto expected = random_page(random, offset, length);
    const auto without_hole = tests::image_of(expected, offset, length).stored;
    core::store_le<std::uint32_t>(expected.data(), 5);
    core::store_le<std::uint32_t>(expected.data() + 4, 0x11223348);
    for (const auto how : ways) {
      const auto stored = compress(how, without_hole);
      core::bytes page(page_size, 0xEE);
      const auto restored = restore_image({stored, offset, length, how}, end_lsn, page);
      BOOST_TEST_REQUIRE(restored.has_value(), (restored ? "" : restored.error().detail));
      BOOST_TEST((page == expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(an_all_new_page_keeps_its_zeros) {
  const core::bytes zeros(page_size, 0);
  for (const auto how : ways) {
    const auto stored = compress(how, zeros);
    core::bytes page(page_size, 0xEE);
    BOOST_TEST(restore_image({stored, 0, 0, how}, end_lsn, page));
    BOOST_TEST((page == zeros));
  }
}

BOOST_AUTO_TEST_CASE(a_hole_that_does_not_fit_or_a_page_of_another_size_is_refused) {
  std::mt19937 random(2);
  const auto contents = random_page(random, 100, 200);
  for (const auto how : ways) {
    const auto stored = compress(how, tests::image_of(contents, 100, 200).stored);
    core::bytes page(page_size);
    BOOST_TEST(restore_image({stored, 100, 200, how}, end_lsn, page));
    for (const auto& [offset, length] : {std::pair{100, 199}, {100, 201}, {8100, 200}, {0, 0}, {65535, 65535}}) {
      const auto restored = restore_image(
          {stored, static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(length), how}, end_lsn, page);
      BOOST_TEST((!restored && restored.error().code == core::errc::corrupt));
    }
    BOOST_TEST(!restore_image({core::bytes_view(stored).first(stored.size() - 1), 100, 200, how}, end_lsn, page));
    BOOST_TEST(!restore_image({{}, 100, 200, how}, end_lsn, page));
  }
}

BOOST_AUTO_TEST_CASE(pglz_items_mean_what_the_format_says) {
  const auto unpack = [](const core::bytes& packed, std::size_t size) -> std::optional<std::string> {
    core::bytes out(size);
    if (!decompress_pglz(packed, out)) return std::nullopt;
    return std::string(out.begin(), out.end());
  };
  BOOST_TEST((unpack({0x00, 'a', 'b', 'c'}, 3) == "abc"));
  BOOST_TEST((unpack({0x04, 'a', 'b', 0x01, 2, 'z'}, 7) == "ababab"
                                                           "z"));
  BOOST_TEST((unpack({0x02, 'a', 0x0F, 1, 2}, 21) == std::string(21, 'a')));
  BOOST_TEST((unpack({0x00, '1', '2', '3', '4', '5', '6', '7', '8', 0x01, 0x00, 8}, 11) == "12345678123"));
  BOOST_TEST((unpack({}, 0) == ""));
  BOOST_TEST(!unpack({0x00, 'a', 'b', 'c'}, 2));  // output too small
  BOOST_TEST(!unpack({0x00, 'a', 'b', 'c'}, 4));  // input too small
  BOOST_TEST(!unpack({0x02, 'a', 0x00, 0}, 4));   // distance 0
  BOOST_TEST(!unpack({0x02, 'a', 0x00, 2}, 4));   // before the beginning
  BOOST_TEST(!unpack({0x02, 'a', 0x00}, 4));      // cut in a match
  BOOST_TEST(!unpack({0x02, 'a', 0x0F, 1}, 19));  // cut before the length
  BOOST_TEST(!unpack({0x02, 'a', 0x01, 1}, 4));   // match longer than the output
}

BOOST_AUTO_TEST_CASE(damaged_images_never_reach_outside_their_page) {
  std::mt19937 random(3);
  for (int round = 0; round < 6000; ++round) {
    const auto how = ways[round % 4];
    auto packed = compress(how, tests::image_of(random_page(random, 64, 3000), 64, 3000).stored);
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips)
      packed[random() % packed.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    if (random() % 4 == 0) packed.resize(random() % packed.size());
    const core::bytes exact(packed);
    core::bytes page(page_size + 64, 0xEE);
    const auto restored = restore_image({exact, 64, 3000, how}, end_lsn, core::bytes_span(page).first(page_size));
    BOOST_TEST_REQUIRE((!restored || core::load_le<std::uint16_t>(page.data() + 64) == 0));
    BOOST_TEST_REQUIRE(std::all_of(page.begin() + page_size, page.end(), [](auto byte) { return byte == 0xEE; }));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg::wal
