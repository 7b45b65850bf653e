#include "pg/records/storage.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/pg/records/record_bytes.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::records;
using pg::wal::resource_manager;
using tests::held_record;
using tests::part;
using tests::record_bytes;

namespace {

constexpr auto v14 = pg::major_version::v14;
constexpr auto v15 = pg::major_version::v15;
constexpr auto v16 = pg::major_version::v16;

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_records_storage)

BOOST_AUTO_TEST_CASE(a_created_relation_names_its_fork) {
  const core::bytes data = record_bytes().u32(1663).u32(5).u32(16384).u32(3).bytes();
  const held_record record(resource_manager::storage, 0x10, data);
  BOOST_TEST(
      (part<relation_create>(decode_storage(record)).relation == pg::relation_fork{1663, 5, 16384, pg::fork::init}));
  BOOST_TEST(tests::only_the_exact_length_is_accepted(resource_manager::storage, 0x10, data,
                                                      [](const auto& of) { return decode_storage(of); }));
  const held_record strange(resource_manager::storage, 0x10, record_bytes().u32(1).u32(2).u32(3).u32(4).bytes());
  BOOST_TEST(!decode_storage(strange));
}

BOOST_AUTO_TEST_CASE(a_truncation_says_which_forks_it_cuts) {
  const core::bytes data = record_bytes().u32(77).u32(1663).u32(5).u32(16384).u32(5).bytes();
  const held_record record(resource_manager::storage, 0x20, data);
  const auto cut = part<relation_truncate>(decode_storage(record));
  BOOST_TEST(cut.new_blocks == 77u);
  BOOST_TEST((cut.relation == pg::relation_fork{1663, 5, 16384, pg::fork::main}));
  BOOST_TEST(cut.main);
  BOOST_TEST(!cut.vm);
  BOOST_TEST(cut.fsm);
  BOOST_TEST(tests::only_the_exact_length_is_accepted(resource_manager::storage, 0x20, data,
                                                      [](const auto& of) { return decode_storage(of); }));
  const held_record strange(resource_manager::storage, 0x20,
                            record_bytes().u32(77).u32(1663).u32(5).u32(16384).u32(8).bytes());
  BOOST_TEST(!decode_storage(strange));
  BOOST_TEST(!decode_storage(held_record(resource_manager::storage, 0x30, data)));
}

BOOST_AUTO_TEST_CASE(database_operations_are_numbered_differently_in_14) {
  const held_record copy(resource_manager::database, 0x00, record_bytes().u32(5).u32(1663).u32(1).u32(1664).bytes());
  for (const auto major : {v14, v15}) {
    const auto made = part<database_copy>(decode_database(copy, major));
    BOOST_TEST(made.database == 5u);
    BOOST_TEST(made.tablespace == 1663u);
    BOOST_TEST(made.source_database == 1u);
    BOOST_TEST(made.source_tablespace == 1664u);
  }
  const core::bytes two_words = record_bytes().u32(5).u32(1663).bytes();
  const auto made =
      part<database_create>(decode_database(held_record(resource_manager::database, 0x10, two_words), v15));
  BOOST_TEST(made.database == 5u);
  BOOST_TEST(made.tablespace == 1663u);

  const core::bytes dropped = record_bytes().u32(5).u32(2).u32(1663).u32(16400).bytes();
  for (const auto& [info, major] : {std::pair{0x10, v14}, std::pair{0x20, v15}}) {
    const held_record record(resource_manager::database, static_cast<std::uint8_t>(info), dropped);
    const auto drop = part<database_drop>(decode_database(record, major));
    BOOST_TEST(drop.database == 5u);
    BOOST_REQUIRE_EQUAL(drop.tablespaces.size(), 2u);
    BOOST_TEST(drop.tablespaces[1] == 16400u);
  }
  BOOST_TEST(!decode_database(held_record(resource_manager::database, 0x20, dropped), v14));
  BOOST_TEST(tests::only_the_exact_length_is_accepted(resource_manager::database, 0x20, dropped,
                                                      [](const auto& of) { return decode_database(of, v15); }));
}

BOOST_AUTO_TEST_CASE(a_tablespace_has_a_path_that_ends) {
  const held_record record(resource_manager::tablespace, 0x00,
                           record_bytes().u32(16400).text(std::string_view("/data/x\0", 8)).bytes());
  const auto made = part<tablespace_create>(decode_tablespace(record));
  BOOST_TEST(made.tablespace == 16400u);
  BOOST_TEST(made.path == "/data/x");
  for (const std::string_view path : {std::string_view("/data"), std::string_view(), std::string_view("/a\0b\0", 5)}) {
    const held_record strange(resource_manager::tablespace, 0x00, record_bytes().u32(16400).text(path).bytes());
    BOOST_TEST(!decode_tablespace(strange));
  }
  const held_record gone(resource_manager::tablespace, 0x10, record_bytes().u32(16400).bytes());
  BOOST_TEST(part<tablespace_drop>(decode_tablespace(gone)).tablespace == 16400u);
}

BOOST_AUTO_TEST_CASE(a_relation_map_has_the_size_of_its_major) {
  const core::bytes small = record_bytes().u32(5).u32(1663).u32(512).zeros(512).bytes();
  const core::bytes large = record_bytes().u32(0).u32(1664).u32(524).zeros(524).bytes();
  const held_record in_15(resource_manager::relmap, 0x00, small);
  const auto update = decode_relation_map(in_15, v15);
  BOOST_REQUIRE(update);
  BOOST_TEST(update->database == 5u);
  BOOST_TEST(update->tablespace == 1663u);
  BOOST_TEST(update->content.size() == 512u);
  BOOST_TEST(decode_relation_map(held_record(resource_manager::relmap, 0x00, large), v16));
  BOOST_TEST(!decode_relation_map(held_record(resource_manager::relmap, 0x00, large), v15));
  BOOST_TEST(!decode_relation_map(in_15, v16));
  BOOST_TEST(!decode_relation_map(held_record(resource_manager::relmap, 0x10, small), v15));
}

BOOST_AUTO_TEST_SUITE_END()
