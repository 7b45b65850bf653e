#include "pg/files/data_directory.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/files/replication_origins.hpp"
#include "pg/files/two_phase.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::files;

namespace {

constexpr auto v15 = pg::major_version::v15;

path_kind kind_of(std::string_view path) { return classify(path, v15).kind; }

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_data_directory)

BOOST_AUTO_TEST_CASE(relation_paths_are_written_as_postgres_does) {
  BOOST_TEST(relation_path({{1663, 5, 16384, pg::fork::vm}, 1}, v15) == "base/5/16384_vm.1");
  BOOST_TEST(relation_path({{1664, 0, 1262, pg::fork::main}, 0}, v15) == "global/1262");
  BOOST_TEST(relation_path({{16400, 5, 16390, pg::fork::init}, 0}, v15) ==
             "pg_tblspc/16400/PG_15_202209061/5/16390_init");
  BOOST_TEST(slru_path(pg::slru_kind::clog, 0) == "pg_xact/0000");
  BOOST_TEST(slru_path(pg::slru_kind::multixact_members, 82040) == "pg_multixact/members/14078");
  BOOST_TEST(slru_path(pg::slru_kind::commit_ts, 163880) == "pg_commit_ts/28028");
  BOOST_TEST(two_phase_path(0x30A, v15) == "pg_twophase/0000030A");
  BOOST_TEST(two_phase_path(0x10000030A, pg::major_version::v17) == "pg_twophase/000000010000030A");
}

BOOST_AUTO_TEST_CASE(every_relation_path_is_understood_again) {
  for (const pg::oid tablespace : {pg::oid{1663}, pg::oid{1664}, pg::oid{16400}})
    for (std::size_t fork = 0; fork < pg::fork_count; ++fork)
      for (const std::uint32_t segment : {0u, 1u, 10u, 32767u})
        for (const pg::oid relation : {1u, 16384u, 4294967295u}) {
          const relation_file file{{tablespace, tablespace == 1664 ? 0u : 5u, relation, static_cast<pg::fork>(fork)},
                                   segment};
          for (const auto major : {pg::major_version::v14, v15, pg::major_version::v18}) {
            const auto found = classify(relation_path(file, major), major);
            BOOST_TEST(found.kind == path_kind::relation);
            BOOST_TEST((found.relation == file));
          }
        }
}

BOOST_AUTO_TEST_CASE(names_that_are_nearly_relations_are_not) {
  for (const char* name : {"016384", "16384_", "16384_xyz", "16384.0", "16384.01", "16384.32768", "4294967296",
                           "16384.", "_vm", "16384_vm_fsm", "-1", "16384.1_vm", "0"})
    BOOST_TEST((kind_of(std::string("base/5/") + name) == path_kind::unknown), name);
  BOOST_TEST(kind_of("base/5x/1259") == path_kind::unknown);
  BOOST_TEST(kind_of("base/5/1259/1") == path_kind::unknown);
}

BOOST_AUTO_TEST_CASE(status_files_and_prepared_transactions_are_understood) {
  auto found = classify("pg_xact/001F", v15);
  BOOST_TEST(found.kind == path_kind::slru);
  BOOST_TEST(found.slru == pg::slru_kind::clog);
  BOOST_TEST(found.slru_segment == 0x1Fu);
  found = classify("pg_multixact/members/14078", v15);
  BOOST_TEST(found.slru == pg::slru_kind::multixact_members);
  BOOST_TEST(found.slru_segment == 82040u);
  BOOST_TEST(classify("pg_multixact/offsets/0000", v15).slru == pg::slru_kind::multixact_offsets);
  BOOST_TEST(classify("pg_commit_ts/28028", v15).slru == pg::slru_kind::commit_ts);
  BOOST_TEST(classify("pg_commit_ts/28028", v15).slru_segment == 163880u);
  BOOST_TEST(classify("pg_commit_ts", v15).kind == path_kind::ignored);
  found = classify("pg_twophase/0000030A", v15);
  BOOST_TEST(found.kind == path_kind::two_phase);
  BOOST_TEST(found.xid == 0x30Au);
  BOOST_TEST(kind_of("pg_twophase/000000010000030A") == path_kind::unknown);
  BOOST_TEST(classify("pg_twophase/000000010000030A", pg::major_version::v17).xid == 0x10000030Au);
  for (const char* name : {"pg_xact/001f", "pg_xact/1", "pg_xact/0000000", "pg_multixact/other/0000"})
    BOOST_TEST((kind_of(name) == path_kind::unknown), name);
}

BOOST_AUTO_TEST_CASE(other_files_fall_into_their_kinds) {
  BOOST_TEST(kind_of("global/pg_control") == path_kind::control);
  BOOST_TEST(kind_of("PG_VERSION") == path_kind::version);
  BOOST_TEST(kind_of("backup_label") == path_kind::backup_label);
  BOOST_TEST(kind_of("tablespace_map") == path_kind::tablespace_map);
  BOOST_TEST(kind_of("pg_logical/replorigin_checkpoint") == path_kind::replication_origins);
  for (const char* name : {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"})
    BOOST_TEST((kind_of(name) == path_kind::configuration), name);

  auto found = classify("base/5/pg_filenode.map", v15);
  BOOST_TEST(found.kind == path_kind::relation_map);
  BOOST_TEST(found.tablespace == 1663u);
  BOOST_TEST(found.database == 5u);
  found = classify("global/pg_filenode.map", v15);
  BOOST_TEST(found.kind == path_kind::relation_map);
  BOOST_TEST(found.tablespace == 1664u);
  found = classify("base/16400/PG_VERSION", v15);
  BOOST_TEST(found.kind == path_kind::version);
  BOOST_TEST(found.database == 16400u);
  found = classify("pg_tblspc/16500/PG_15_202209061/7", v15);
  BOOST_TEST(found.kind == path_kind::database);
  BOOST_TEST(found.tablespace == 16500u);
  BOOST_TEST(found.database == 7u);
  BOOST_TEST(classify("pg_tblspc/16500", v15).tablespace == 16500u);

  for (const char* name : {"pg_wal/000000010000000000000001",
                           "pg_stat/pgstat.stat",
                           "pg_stat_tmp",
                           "pg_replslot/s/state",
                           "pg_dynshmem",
                           "postmaster.pid",
                           "postmaster.opts",
                           "pg_logical/snapshots",
                           "base/5/pg_internal.init",
                           "global/pg_internal.init",
                           "base/5/t3_16384",
                           "base/5/t3_16384_fsm.1",
                           "base/5/t0_99",
                           "base/pgsql_tmp/pgsql_tmp12.0",
                           "base",
                           "global",
                           "pg_xact",
                           "pg_multixact/members",
                           "pg_tblspc",
                           "pg_tblspc/16500/PG_14_202107181/5/1",
                           "pg_tblspc/16500/PG_15_202209061",
                           "backup_manifest",
                           "base/5/pg_filenode.map.tmp"})
    BOOST_TEST((kind_of(name) == path_kind::ignored), name);
  for (const char* name : {"", "/", "a//b", "surprise", "global/surprise", "pg_tblspc/x", "base/5/", "server.key",
                           "base/5/t_16384", "base/5/t3x_16384"})
    BOOST_TEST((kind_of(name) == path_kind::unknown), name);
}

BOOST_AUTO_TEST_CASE(a_backup_label_is_read) {
  const auto label = parse_backup_label(
      "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
      "CHECKPOINT LOCATION: 0/2000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
      "START TIME: 2026-11-22 10:00:00 UTC\nLABEL: a: b\nSTART TIMELINE: 3\n");
  BOOST_REQUIRE(label);
  BOOST_TEST(label->start.value == 0x2000028u);
  BOOST_TEST(label->start_segment == "000000010000000000000002");
  BOOST_TEST(label->checkpoint.value == 0x2000060u);
  BOOST_TEST(label->timeline == 3u);
  BOOST_TEST(label->label == "a: b");
  BOOST_TEST(!label->from_standby);
  BOOST_TEST(parse_backup_label("START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
                                "CHECKPOINT LOCATION: 0/2000060\nBACKUP FROM: standby\n")
                 ->from_standby);
}

BOOST_AUTO_TEST_CASE(a_damaged_backup_label_is_refused) {
  for (const char* text : {"", "LABEL: x\n", "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n",
                           "START WAL LOCATION: zero (file 1)\nCHECKPOINT LOCATION: 0/2000060\n",
                           "START WAL LOCATION: 0/2000028\nCHECKPOINT LOCATION: 0/2000060\n",
                           "START WAL LOCATION: 0/28 (file 1)\nCHECKPOINT LOCATION: 0/60\nSTART TIMELINE: x\n"})
    BOOST_TEST((parse_backup_label(text).error().code == core::errc::corrupt), text);
}

BOOST_AUTO_TEST_CASE(a_tablespace_map_is_read_with_its_escapes) {
  const auto links = parse_tablespace_map("16400 /data/one two\n16401 /da\\\nta\\\\x\n");
  BOOST_REQUIRE(links);
  BOOST_REQUIRE_EQUAL(links->size(), 2u);
  BOOST_TEST((*links)[0].tablespace == 16400u);
  BOOST_TEST((*links)[0].target == "/data/one two");
  BOOST_TEST((*links)[1].target == "/da\nta\\x");
  BOOST_TEST(parse_tablespace_map("")->empty());
  for (const char* text : {"x /a\n", "16400\n", "16400 \n", "16400/a b\n"})
    BOOST_TEST((parse_tablespace_map(text).error().code == core::errc::corrupt), text);
}

BOOST_AUTO_TEST_CASE(a_two_phase_file_is_its_main_data_and_a_checksum) {
  core::bytes main_data(72, 3);
  core::store_le(main_data.data() + 4, std::uint32_t{76});
  core::bytes file = encode_two_phase_file(main_data);
  BOOST_TEST(file.size() == 76u);
  const auto decoded = decode_two_phase_file(file);
  BOOST_REQUIRE(decoded);
  BOOST_TEST(std::equal(decoded->begin(), decoded->end(), main_data.begin(), main_data.end()));
  for (std::size_t i = 0; i < file.size(); ++i) {
    core::bytes damaged = file;
    damaged[i] ^= 1;
    BOOST_TEST((decode_two_phase_file(damaged).error().code == core::errc::corrupt), "byte " << i);
  }
  core::store_le(main_data.data() + 4, std::uint32_t{77});
  BOOST_TEST(!decode_two_phase_file(encode_two_phase_file(main_data)));
  BOOST_TEST(!decode_two_phase_file(core::bytes(10)));
}

BOOST_AUTO_TEST_CASE(replication_origins_survive_and_damage_is_noticed) {
  const std::vector<origin_progress> origins{{1, core::lsn(0x1234)}, {7, core::lsn(0x5678)}};
  core::bytes file = encode_replication_origins(origins);
  const auto decoded = decode_replication_origins(file);
  BOOST_REQUIRE(decoded);
  BOOST_TEST((*decoded == origins));
  BOOST_TEST(decode_replication_origins(encode_replication_origins({}))->empty());
  for (std::size_t i = 0; i < file.size(); ++i) {
    core::bytes damaged = file;
    damaged[i] ^= 1;
    BOOST_TEST(!decode_replication_origins(damaged), "byte " << i);
  }
  file.pop_back();
  BOOST_TEST(!decode_replication_origins(file));
}

BOOST_AUTO_TEST_SUITE_END()
