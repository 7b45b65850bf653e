#include "storage/mapping/base_backup_import.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/crc32c.hpp"
#include "tests/storage/mapping/hand_made_backup.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;

namespace {

constexpr pg::relation_fork table{pg::default_tablespace, 5, 16384, pg::fork::main};
constexpr pg::relation_fork unlogged{pg::default_tablespace, 5, 16390, pg::fork::main};

std::optional<std::uint32_t> size_of(timeline_home& home, const pg::relation_fork& of) {
  const auto size = mapping::relation_size(*home.store, of, home.store->last_record_lsn(), read_mode::may_block);
  BOOST_REQUIRE(size);
  return *size;
}
core::errc refusal_of(const hand_made_backup& backup) {
  timeline_home home;
  const auto imported = import_into(home, backup);
  BOOST_REQUIRE(!imported);
  return imported.error().code;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_base_backup_import)

BOOST_AUTO_TEST_CASE(a_cluster_comes_in_whatever_the_size_of_the_pieces) {
  for (const std::size_t piece : {1u, 511u, 10'007u, 1'000'000u}) {
    timeline_home home;
    const hand_made_backup backup;
    const auto cluster = import_into(home, backup, piece);
    BOOST_REQUIRE(cluster);
    BOOST_TEST(cluster->system_id == 4711u);
    BOOST_TEST(cluster->data_checksums);
    BOOST_TEST((cluster->start == core::lsn(pg::default_wal_segment_size)));
    const core::lsn at = home.store->last_record_lsn();
    BOOST_TEST((at == cluster->start));
    BOOST_TEST(size_of(home, table).value() == 3u);
    BOOST_TEST(size_of(home, {pg::global_tablespace, 0, 1262, pg::fork::main}).value() == 1u);
    BOOST_TEST(size_of(home, {16500, 5, 16501, pg::fork::main}).value() == 1u);
    BOOST_TEST(size_of(home, {pg::default_tablespace, 5, 16400, pg::fork::main}).value() == 0u);
    core::bytes page(pg::page_size);
    page_read read{relation_page_key(table, 2), page, {}};
    home.store->read_pages({&read, 1}, at, read_mode::may_block);
    BOOST_TEST(!read.failure);
    BOOST_TEST(page == make_page(4));
    BOOST_TEST(mapping::databases(*home.store, at)->size() == 2u);
    BOOST_TEST(mapping::tablespaces(*home.store, at).value() == std::vector<pg::oid>{16500});
    BOOST_TEST(mapping::slru_segment(*home.store, pg::slru_kind::clog, 0, at).value() ==
               core::bytes(pg::page_size, 0x55));
    BOOST_TEST(home.store->read_value(two_phase_key(0x300), at, read_mode::may_block)->value().size() == 68u);
    BOOST_TEST(home.store->read_value(replication_origin_key(7), at, read_mode::may_block)->has_value());
  }
}

BOOST_AUTO_TEST_CASE(nothing_before_the_end_of_the_backup_is_readable) {
  timeline_home home;
  const hand_made_backup backup;
  BOOST_REQUIRE(import_into(home, backup));
  BOOST_TEST((home.store->record().readable_from == backup.end));
  BOOST_TEST(!home.store->check_readable(home.store->last_record_lsn()));
}

BOOST_AUTO_TEST_CASE(unlogged_and_temporary_relations_bring_no_data) {
  timeline_home home;
  BOOST_REQUIRE(import_into(home, {}));
  BOOST_TEST(!size_of(home, unlogged));
  BOOST_TEST(size_of(home, {unlogged.tablespace, unlogged.database, unlogged.relation, pg::fork::init}).value() == 1u);
  BOOST_TEST(!size_of(home, {pg::default_tablespace, 5, 16410, pg::fork::main}));
}

BOOST_AUTO_TEST_CASE(what_is_missing_or_wrong_is_refused) {
  for (const char* name :
       {"backup_label", "PG_VERSION", "global/pg_control", "global/pg_filenode.map", "pg_xact/0000"}) {
    hand_made_backup backup;
    backup.files.erase(name);
    BOOST_TEST((refusal_of(backup) == core::errc::corrupt), name);
  }
  hand_made_backup other_version;
  other_version.files["PG_VERSION"] = bytes_of("14\n");
  BOOST_TEST(refusal_of(other_version) == core::errc::unsupported);
  hand_made_backup other_start;
  other_start.start = other_start.start + 8;
  BOOST_TEST(refusal_of(other_start) == core::errc::corrupt);
  hand_made_backup other_page_size;
  other_page_size.files["base/5/16384"][19] = 0x40;
  BOOST_TEST(refusal_of(other_page_size) == core::errc::corrupt);
  hand_made_backup torn_control;
  torn_control.files["global/pg_control"][100] ^= 1;
  BOOST_TEST(refusal_of(torn_control) == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_backup_of_another_cluster_than_the_record_names_is_refused) {
  timeline_home home;
  timeline_record record = home.store->record();
  record.system_id = 4712;
  home.reopen(record);
  const auto other_system = import_into(home, {});
  BOOST_REQUIRE(!other_system);
  BOOST_TEST(other_system.error().code == core::errc::conflict);
  record.system_id = 4711;
  home.reopen(record);
  const auto without_checksums = import_into(home, {});
  BOOST_REQUIRE(!without_checksums);
  BOOST_TEST(without_checksums.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(the_size_of_wal_segments_decides_where_a_start_behind_a_page_header_is) {
  hand_made_backup backup;
  backup.start = core::lsn((1u << 20) * 5 + 40);
  backup.end = backup.start + 4096;
  backup.files["backup_label"] = bytes_of(
      "START WAL LOCATION: 0/500028 (file 000000010000000000000005)\nCHECKPOINT LOCATION: 0/500060\n"
      "BACKUP METHOD: streamed\nBACKUP FROM: primary\nLABEL: strata\nSTART TIMELINE: 1\n");
  core::bytes& control = backup.files["global/pg_control"];
  core::store_le(control.data() + 228, std::uint32_t{1u << 20});
  core::store_le(control.data() + 288, pg::crc32c(core::bytes_view(control).first(288)));
  timeline_home home;
  const auto mistaken = import_into(home, backup);
  BOOST_REQUIRE(!mistaken);
  timeline_home told;
  timeline_record record = told.store->record();
  record.wal_segment_size = 1u << 20;
  told.reopen(record);
  const auto imported = import_into(told, backup);
  BOOST_REQUIRE(imported);
  BOOST_TEST((imported->start == core::lsn((1u << 20) * 5)));
}

BOOST_AUTO_TEST_CASE(an_archive_that_ends_too_early_is_refused) {
  timeline_home home;
  const core::bytes archive = hand_made_backup::archive_of(hand_made_backup().files);
  mapping::base_backup_import import(home.store, {.start = hand_made_backup().start});
  BOOST_TEST(import.begin_archive(0));
  BOOST_TEST(import.add(core::bytes_view(archive).first(archive.size() / 2)));
  const auto finished = import.finish(hand_made_backup().end);
  BOOST_REQUIRE(!finished);
  BOOST_TEST(finished.error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_full_is_the_last_of_its_fork) {
  hand_made_backup backup;
  backup.files["base/5/16384.1"] = make_page(1);
  timeline_home home;
  BOOST_REQUIRE(import_into(home, backup));
  BOOST_TEST(size_of(home, table).value() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
