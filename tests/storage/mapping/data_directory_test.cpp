#include "storage/mapping/data_directory.hpp"

#include <zlib.h>

#include <boost/test/unit_test.hpp>

#include "pg/files/control_file.hpp"
#include "pg/files/free_space_map.hpp"
#include "pg/page/checksum.hpp"
#include "tests/storage/mapping/hand_made_backup.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;
using mapping::data_directory_kind;

namespace {

struct imported_fixture : timeline_home {
  imported_fixture() {
    const auto cluster = import_into(*this, backup);
    BOOST_REQUIRE(cluster);
    timeline_record now = store->record();
    now.data_checksums = cluster->data_checksums;
    now.major = cluster->major;
    reopen(now);
    at = store->last_record_lsn();
  }
  core::result<core::bytes> written(data_directory_kind kind, bool gzip = false) {
    STRATA_ASSIGN(const auto writer,
                  mapping::data_directory_writer::open(store, {.at = at, .kind = kind, .gzip = gzip}));
    core::bytes archive;
    core::bytes chunk;
    while (true) {
      STRATA_ASSIGN(const bool more, writer->next(chunk));
      if (!more) return archive;
      BOOST_TEST(chunk.size() <= 1u << 20);
      core::append(archive, chunk);
    }
  }
  std::map<std::string, core::bytes> files(data_directory_kind kind) {
    const auto archive = written(kind);
    BOOST_REQUIRE(archive);
    return unpack(*archive);
  }
  hand_made_backup backup;
  core::lsn at;
};

core::bytes with_checksum(core::bytes page, pg::block_number block) {
  pg::page::set_page_checksum(page, block);
  return page;
}

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
  BOOST_TEST((control->state == pg::files::database_state::shut_down));
  BOOST_TEST((control->checkpoint_location == at + 40));
  BOOST_TEST(control->checkpoint_copy.next_xid == 1024u);
  BOOST_TEST(found.at("pg_wal/000000010000000000000001").size() == pg::default_wal_segment_size);
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
  BOOST_TEST((refused.error().code == core::errc::unsupported));
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
  BOOST_REQUIRE((*ingest)->add(record, batch));
  store->append(std::move(batch));
  at = store->last_record_lsn();
  const auto refused = written(data_directory_kind::full);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == core::errc::unsupported));
  BOOST_TEST(refused.error().detail.find("16384") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
