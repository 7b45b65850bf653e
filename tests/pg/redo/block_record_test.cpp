#include "pg/redo/block_record.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>

#include "tests/support/printing.hpp"
#include "tests/support/wal_builder.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_block_record)

namespace {

using namespace strata;
using pg::wal::resource_manager;

core::bytes encoded(const pg::redo::block_record& of) {
  core::bytes stored(pg::redo::encoded_size(of));
  pg::redo::encode(of, stored.data());
  return stored;
}

void check_equal(const pg::redo::block_record& got, const pg::redo::block_record& expected) {
  const auto equal_bytes = [](core::bytes_view a, core::bytes_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  BOOST_TEST((got.manager == expected.manager));
  BOOST_TEST(got.info == expected.info);
  BOOST_TEST(got.xid == expected.xid);
  BOOST_TEST(got.block_id == expected.block_id);
  BOOST_TEST(got.will_init == expected.will_init);
  BOOST_TEST(got.has_image == expected.has_image);
  BOOST_TEST(equal_bytes(got.image.stored, expected.image.stored));
  BOOST_TEST(got.image.hole_offset == expected.image.hole_offset);
  BOOST_TEST(got.image.hole_length == expected.image.hole_length);
  BOOST_TEST((got.image.compression == expected.image.compression));
  BOOST_TEST(equal_bytes(got.data, expected.data));
  BOOST_TEST(equal_bytes(got.main_data, expected.main_data));
  for (std::size_t id = 0; id < got.addresses.size(); ++id) {
    BOOST_TEST(got.addresses[id].present == expected.addresses[id].present);
    BOOST_TEST((got.addresses[id].in_fork == expected.addresses[id].in_fork));
    BOOST_TEST(got.addresses[id].same_relation == expected.addresses[id].same_relation);
    BOOST_TEST(got.addresses[id].block == expected.addresses[id].block);
  }
}

/// A parsed record and the bytes it points into.
struct parsed {
  core::bytes bytes;
  std::unique_ptr<pg::wal::record> record = std::make_unique<pg::wal::record>();
  explicit parsed(const tests::wal_record& from) : bytes(tests::encode_record(from, core::lsn(64))) {
    const auto done = pg::wal::parse_record(bytes, core::lsn(128), core::lsn(256), pg::major_version::v15, *record);
    BOOST_REQUIRE(done.has_value());
  }
};

const pg::relation_fork heap{1663, 5, 16384, pg::fork::main};
const pg::relation_fork map{1663, 5, 16384, pg::fork::vm};
const pg::relation_fork index{1663, 5, 16390, pg::fork::main};

}  // namespace

BOOST_AUTO_TEST_CASE(a_record_of_one_block_is_stored_with_eleven_bytes_around_its_payload) {
  const parsed from({.manager = resource_manager::heap,
                     .info = 0x10,
                     .xid = 77,
                     .blocks = {{.id = 0, .relation = heap, .block = 9, .data = {1, 2, 3}}},
                     .main_data = {4, 5}});
  const auto cut = pg::redo::slice(*from.record, 0);
  BOOST_TEST(cut.block() == 9u);
  BOOST_TEST(pg::redo::encoded_size(cut) == 11u + 2u + 3u + 2u);
  const core::bytes stored = encoded(cut);
  const auto read = pg::redo::decode_block_record(stored);
  BOOST_REQUIRE(read.has_value());
  check_equal(*read, cut);
}

BOOST_AUTO_TEST_CASE(a_slice_knows_the_addresses_of_the_other_blocks_but_not_their_data) {
  const parsed from({.manager = resource_manager::heap2,
                     .info = 0x40,
                     .xid = 0,
                     .blocks = {{.id = 0, .relation = map, .block = 0, .data = {9, 9}},
                                {.id = 1, .relation = heap, .block = 12},
                                {.id = 4, .relation = index, .block = 3, .will_init = true}},
                     .main_data = {1}});
  const auto cut = pg::redo::slice(*from.record, 1);
  BOOST_TEST(cut.block() == 12u);
  BOOST_TEST(cut.data.empty());
  BOOST_TEST(cut.addresses[0].in_fork == pg::fork::vm);
  BOOST_TEST(cut.addresses[0].same_relation);
  BOOST_TEST(!cut.addresses[4].same_relation);
  BOOST_TEST(!cut.initial());
  for (std::size_t i = 0; i < 3; ++i) {
    const auto each = pg::redo::slice(*from.record, i);
    const core::bytes stored = encoded(each);
    const auto read = pg::redo::decode_block_record(stored);
    BOOST_REQUIRE(read.has_value());
    check_equal(*read, each);
  }
  BOOST_TEST(pg::redo::slice(*from.record, 2).initial());
}

BOOST_AUTO_TEST_CASE(an_image_to_apply_is_kept_and_one_for_checking_is_not) {
  core::bytes page(pg::page_size);
  tests::wal_image image = tests::image_of(page, 100, 8000);
  for (const bool apply : {true, false}) {
    image.apply = apply;
    const parsed from({.manager = resource_manager::heap,
                       .info = 0x00,
                       .xid = 5,
                       .blocks = {{.id = 0, .relation = heap, .block = 1, .image = image, .data = {7}}},
                       .main_data = {1, 0, 0}});
    const auto cut = pg::redo::slice(*from.record, 0);
    BOOST_TEST(cut.has_image == apply);
    BOOST_TEST(cut.data.empty() == apply);
    const core::bytes stored = encoded(cut);
    const auto read = pg::redo::decode_block_record(stored);
    BOOST_REQUIRE(read.has_value());
    check_equal(*read, cut);
  }
}

BOOST_AUTO_TEST_CASE(a_stored_record_that_was_cut_short_is_refused) {
  const parsed from({.manager = resource_manager::btree,
                     .info = 0x00,
                     .xid = 5,
                     .blocks = {{.id = 0, .relation = index, .block = 1, .data = {1, 2, 3, 4}},
                                {.id = 1, .relation = index, .block = 2}}});
  const core::bytes stored = encoded(pg::redo::slice(*from.record, 0));
  for (std::size_t size = 0; size < stored.size(); ++size) {
    const auto read = pg::redo::decode_block_record(core::bytes_view(stored).first(size));
    BOOST_REQUIRE(!read.has_value());
    BOOST_TEST(read.error().code == core::errc::corrupt);
  }
  for (const unsigned unknown_flag : {0x10, 0x20, 0x40, 0x80}) {
    core::bytes strange = stored;
    strange[2] |= static_cast<std::uint8_t>(unknown_flag);
    BOOST_TEST(!pg::redo::decode_block_record(strange).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
