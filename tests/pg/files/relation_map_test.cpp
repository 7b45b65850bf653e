#include "pg/files/relation_map.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/crc32c.hpp"

namespace strata::tests {
namespace {

using pg::major_version;
using pg::files::decode_relation_map_file;

/// pg_class in file 16384 and pg_proc in file 1255.
core::bytes map_of(major_version major) {
  core::bytes content;
  core::append_le<std::uint32_t>(content, 0x592717);
  core::append_le<std::uint32_t>(content, 2);
  for (const std::uint32_t each : {1259, 16384, 1255, 1255}) core::append_le<std::uint32_t>(content, each);
  content.resize(8 + 8 * (major >= major_version::v16 ? 64 : 62));
  core::append_le<std::uint32_t>(content, pg::crc32c(content));
  if (major < major_version::v16) content.resize(content.size() + 4);
  return content;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_relation_map)

BOOST_AUTO_TEST_CASE(mappings_are_read_in_the_form_of_their_major) {
  for (const auto major : {major_version::v14, major_version::v15, major_version::v16, major_version::v18}) {
    const auto found = decode_relation_map_file(map_of(major), major);
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST_REQUIRE(found->size() == 2u);
    BOOST_TEST((found->front().relation == 1259u && found->front().file == 16384u));
  }
  BOOST_TEST(!decode_relation_map_file(map_of(major_version::v15), major_version::v16).has_value());
  BOOST_TEST(!decode_relation_map_file(map_of(major_version::v16), major_version::v15).has_value());
}

BOOST_AUTO_TEST_CASE(damage_anywhere_and_another_length_are_found) {
  const core::bytes good = map_of(major_version::v16);
  for (std::size_t i = 0; i < good.size(); ++i) {
    core::bytes bad = good;
    bad[i] ^= 0x10;
    BOOST_TEST(!decode_relation_map_file(bad, major_version::v16).has_value(), "byte " << i);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, good.size() - 1, good.size() + 1}) {
    core::bytes other = good;
    other.resize(size);
    BOOST_TEST(!decode_relation_map_file(other, major_version::v16).has_value(), size << " bytes");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
