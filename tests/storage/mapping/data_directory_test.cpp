#include "storage/mapping/data_directory.hpp"

#include <zlib.h>

#include <boost/test/unit_test.hpp>

#include "pg/files/control_file.hpp"
#include "pg/files/free_space_map.hpp"
#include "storage/mapping/standby_start.hpp"
#include "tests/storage/mapping/imported_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;
using mapping::data_directory_kind;

namespace {

core::bytes inflated(const core::bytes& packed) {
  z_stream stream{};
  BOOST_REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
  core::bytes content(64u << 20);
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = content.data();
  stream.avail_out = static_cast<uInt>(content.size());
  BOOST_TEST(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  content.resize(stream.total_out);
  inflateEnd(&stream);
  return content;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_data_directory)

BOOST_FIXTURE_TEST_CASE(the_full_kind_holds_every_file_that_was_imported, imported_fixture) {
  const auto found = files(data_directory_kind::full);
  for (const char* name : {"PG_VERSION", "global/pg_filenode.map", "base/5/PG_VERSION", "base/5/pg_filenode.map",
                           "pg_xact/0000", "pg_multixact/members/0000", "pg_multixact/offsets/0000",
                           "pg_twophase/00000300", "pg_logical/replorigin_checkpoint", "base/5/16400"}) {
    BOOST_REQUIRE_MESSAGE(found.contains(name), name);
    BOOST_TEST((found.at(name) == backup.files.at(name)), name);
  }
  core::bytes table;
  for (std::uint8_t block = 0; block < 3; ++block)
    core::append(table, with_checksum(make_page(static_cast<std::uint8_t>(2 + block)), block));
  BOOST_TEST((found.at("base/5/16384") == table));
  BOOST_TEST(found.contains("base/5/16384_vm"));
  BOOST_TEST((found.at("pg_tblspc/16500/PG_15_202209061/5/16501") == with_checksum(make_page(11), 0)));
  for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf", "global", "pg_notify", "pg_replslot"})
    BOOST_TEST(found.contains(name), name);
  for (const char* name : {"backup_label", "neon.signal", "base/5/t3_16410", "pg_stat_tmp/global.stat"})
    BOOST_TEST(!found.contains(name), name);
}

BOOST_FIXTURE_TEST_CASE(the_free_space_map_of_a_table_is_made_from_its_pages, imported_fixture) {
  const auto found = files(data_directory_kind::full);
  const pg::files::free_space_map map({255, 255, 255});
  core::bytes expected;
  for (pg::block_number block = 0; block < map.pages(); ++block) {
    core::bytes page(pg::page_size);
    map.write_page(block, page);
    core::append(expected, with_checksum(page, block));
  }
  BOOST_TEST((found.at("base/5/16384_fsm") == expected));
  // Nobody stored one for this table.
  BOOST_TEST(found.contains("global/1262_fsm"));
  // A table without pages has no free space, and one without free space needs no map.
  BOOST_TEST(!found.contains("base/5/16400_fsm"));
  BOOST_TEST(!found.contains("base/5/16421_fsm"));
}

BOOST_FIXTURE_TEST_CASE(the_free_space_map_of_an_index_is_the_stored_one, imported_fixture) {
  const auto found = files(data_directory_kind::full);
  BOOST_TEST((found.at("base/5/16420_fsm") == with_checksum(make_page(12), 0)));
  BOOST_TEST(!found.contains("base/5/16422_fsm"));
}

BOOST_FIXTURE_TEST_CASE(an_unlogged_relation_starts_as_its_init_fork, imported_fixture) {
  for (const data_directory_kind kind : {data_directory_kind::full}) {
    const auto found = files(kind);
    BOOST_TEST((found.at("base/5/16390") == with_checksum(make_page(9), 0)));
    BOOST_TEST((found.at("base/5/16390_init") == with_checksum(make_page(9), 0)));
  }
}

BOOST_FIXTURE_TEST_CASE(the_control_file_says_shut_down_at_a_record_in_the_wal_that_comes_with_it, imported_fixture) {
  const auto found = files(data_directory_kind::full);
  const auto control = pg::files::decode_control_file(found.at("global/pg_control"));
  BOOST_REQUIRE(control);
  BOOST_TEST(control->state == pg::files::database_state::shut_down);
  BOOST_TEST((control->checkpoint_location == at + 40));
  BOOST_TEST(control->checkpoint_copy.next_xid == 1024u);
  BOOST_TEST(found.at("pg_wal/000000010000000000000001").size() == pg::default_wal_segment_size);
}

namespace {

constexpr pg::files::full_transaction_id round_of_xids = pg::files::full_transaction_id{1} << 32;

using status_files = std::map<std::string, std::size_t>;

/// Sizes in pages of the files of one directory in an archive of a cluster with these counters, which was imported with
/// `pages` of them.
status_files archived(const std::string& directory, const pg::files::checkpoint& counters, const status_files& pages) {
  hand_made_backup backup;
  pg::files::checkpoint at_start = counters;
  at_start.redo = backup.start;
  backup.files["global/pg_control"] = make_control_file(at_start, 1);
  std::erase_if(backup.files, [&](const auto& file) { return file.first.starts_with(directory); });
  for (const auto& [name, count] : pages) backup.files[directory + name] = core::bytes(count * pg::page_size, 0x55);
  imported_fixture imported(std::move(backup));
  status_files found;
  for (const auto& [name, content] : imported.files(data_directory_kind::full)) {
    if (!name.starts_with(directory) || content.empty()) continue;
    const std::string file = name.substr(directory.size());
    found[file] = content.size() / pg::page_size;
    const std::size_t given = pages.contains(file) ? pages.at(file) * pg::page_size : 0;
    BOOST_TEST(std::all_of(content.begin() + static_cast<std::ptrdiff_t>(given), content.end(),
                           [](std::uint8_t byte) { return byte == 0; }));
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_status_pages_that_a_server_reads_at_its_start_are_there) {
  const auto xacts = [](std::uint64_t next, const status_files& pages) {
    pg::files::checkpoint counters = mapping_fixture::first_counters();
    counters.next_xid = next;
    return archived("pg_xact/", counters, pages);
  };
  const status_files last{{"0FFF", 32}}, and_first{{"0000", 1}, {"0FFF", 32}};
  // The stored number is a multiple of 1024, or the first of the next round.
  for (const std::uint64_t before : {1025u, 1024u}) BOOST_TEST((xacts(round_of_xids - before, last) == last), before);
  for (const std::uint64_t before : {1023u, 700u, 1u, 0u})
    BOOST_TEST((xacts(round_of_xids - before, last) == and_first), before);
  for (const std::uint64_t behind : {3u, 1000u}) BOOST_TEST((xacts(round_of_xids + behind, last) == and_first), behind);
  // Page boundaries: the first number of a page needs none, the second one does.
  constexpr std::uint64_t page = 32768;
  const auto one = [](std::size_t pages) { return status_files{{"0000", pages}}; };
  for (const std::uint64_t next : {5 * page - 700, 5 * page - 1, 5 * page})
    BOOST_TEST((xacts(next, one(5)) == one(5)), next);
  BOOST_TEST((xacts(5 * page + 1, one(6)) == one(6)));
  BOOST_TEST((xacts(5 * page + 1, one(5)) == one(6)));
  // Segment boundaries.
  for (const std::uint64_t next : {32 * page - 700, 32 * page}) BOOST_TEST((xacts(next, one(32)) == one(32)), next);
  BOOST_TEST((xacts(32 * page + 1, one(32)) == status_files{{"0000", 32}, {"0001", 1}}));

  const auto offsets = [](pg::multixact_id next, const status_files& pages) {
    pg::files::checkpoint counters = mapping_fixture::first_counters();
    counters.next_multixact = next;
    return archived("pg_multixact/offsets/", counters, pages);
  };
  const status_files end_of_round{{"FFFF", 32}};
  BOOST_TEST((offsets(~0u, end_of_round) == end_of_round));
  BOOST_TEST((offsets(1, end_of_round) == status_files{{"0000", 1}, {"FFFF", 32}}));
  BOOST_TEST((offsets(2048, one(1)) == one(1)));
  BOOST_TEST((offsets(2049, one(1)) == one(2)));
  BOOST_TEST((offsets(2049, one(2)) == one(2)));

  const auto members = [](std::uint32_t next, const status_files& pages) {
    pg::files::checkpoint counters = mapping_fixture::first_counters();
    counters.next_multixact_offset = next;
    return archived("pg_multixact/members/", counters, pages);
  };
  BOOST_TEST((members(1636, one(1)) == one(1)));
  BOOST_TEST((members(1637, one(1)) == one(2)));
  BOOST_TEST((members(1637, one(2)) == one(2)));
  // Page 2,625,285 of offset 2^32 - 1 is the sixth of the last segment.
  BOOST_TEST((members(~0u, {{"14078", 1}}) == status_files{{"14078", 6}}));
}

BOOST_FIXTURE_TEST_CASE(a_gzip_archive_unpacks_to_the_same_bytes, imported_fixture) {
  const auto plain = written(data_directory_kind::full);
  const auto packed = written(data_directory_kind::full, true);
  BOOST_REQUIRE(plain && packed);
  BOOST_TEST(packed->size() < plain->size() / 10);
  BOOST_TEST((inflated(*packed) == *plain));
}

BOOST_FIXTURE_TEST_CASE(tablespaces_can_not_be_given_to_a_compute, imported_fixture) {
  const auto refused = written(data_directory_kind::compute);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::unsupported);
}

BOOST_FIXTURE_TEST_CASE(tablespaces_can_not_be_given_to_a_standby_of_postgres_14, imported_fixture) {
  timeline_record record = store->record();
  for (const auto& [major, expected] : {std::pair(pg::major_version::v14, core::errc::unsupported),
                                        std::pair(pg::major_version::v15, core::errc::unavailable)}) {
    record.major = major;
    reopen(record);
    const auto refused = mapping::find_standby_start(*store, at);
    BOOST_REQUIRE(!refused);
    BOOST_TEST(refused.error().code == expected);
  }
}

BOOST_FIXTURE_TEST_CASE(a_page_that_can_not_be_rebuilt_ends_the_archive_with_an_error, imported_fixture) {
  const auto ingest = mapping::wal_ingest::open(store);
  BOOST_REQUIRE(ingest);
  const core::bytes bytes = encode_record(
      {.manager = pg::wal::resource_manager{140},
       .blocks = {{.id = 0, .relation = {pg::default_tablespace, 5, 16384, pg::fork::main}, .block = 1, .data = {1}}}},
      at - 8);
  pg::wal::record record;
  BOOST_REQUIRE(
      pg::wal::parse_record(bytes, at + 40, (at + 40 + bytes.size()).align_up(), pg::major_version::v15, record));
  write_batch batch;
  BOOST_REQUIRE((*ingest)->add(record, batch, read_mode::may_block));
  store->append(std::move(batch));
  at = store->last_record_lsn();
  const auto refused = written(data_directory_kind::full);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::unsupported);
  BOOST_TEST(refused.error().detail.find("16384") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
