#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/strata_server.hpp"
#include "tests/support/timeline_pipeline.hpp"

using namespace strata;
using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_free_space)

namespace {

constexpr const char* make_tables = R"(
  create extension pg_freespacemap;
  create table plain (id int, body text);
  insert into plain select i, repeat(md5(i::text), 5) from generate_series(1, 200000) i;
  create table documents (id int primary key, body text);
  alter table documents alter body set storage external;
  insert into documents select i, repeat(md5(i::text), 200) from generate_series(1, 1500) i;
)";
constexpr const char* delete_half = R"(
  delete from plain where id % 2 = 0;
  delete from documents where id % 2 = 0;
)";
constexpr const char* insert_as_much = R"(
  insert into plain select i, repeat(md5(i::text), 5) from generate_series(200001, 300000) i;
  insert into documents select i, repeat(md5(i::text), 200) from generate_series(2001, 2750) i;
)";

struct table_sizes {
  std::uint64_t table = 0;
  std::uint64_t toast = 0;
};
template <class Server>
table_sizes sizes_of(Server& server) {
  return {
      std::stoull(server.value("select pg_relation_size('plain')")),
      std::stoull(server.value("select pg_relation_size(reltoastrelid) from pg_class where relname = 'documents'"))};
}

/// "plain 17 4000": the free bytes of every block, as the map tells them, of all tables that are the test's own.
std::vector<std::string> free_space_of(postgres_cluster& cluster) {
  std::vector<std::string> found;
  for (const sql_row& row : cluster.query(
           "select coalesce(owner.relname || ' toast', c.relname) || ' ' || f.blkno || ' ' || f.avail "
           "from pg_class c left join pg_class owner on owner.reltoastrelid = c.oid, pg_freespace(c.oid) f "
           "where c.oid >= 16384 and c.relkind in ('r', 't', 'm') order by coalesce(owner.relname, c.relname), "
           "c.relkind, f.blkno"))
    found.push_back(*row[0]);
  return found;
}

core::lsn flushed(postgres_cluster& of) {
  return core::parse_lsn(of.value("select pg_current_wal_flush_lsn()")).value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_branch_uses_the_space_that_vacuum_freed_on_its_source) {
  postgres_cluster source({.config = {"autovacuum = off"}});
  source.start();
  source.execute(make_tables);
  strata_server strata;
  strata.start();
  strata.add_source("s", source.conninfo());
  source.execute(delete_half);
  source.execute("vacuum plain, documents");
  source.execute("create table done ()");
  const table_sizes before = sizes_of(source);
  strata.wait_for_lsn("s", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));
  strata.ask({"branch", "create", "b"});

  source.execute(insert_as_much);
  const table_sizes on_source = sizes_of(source);
  const branch_compute compute(strata, "b");
  BOOST_TEST(sizes_of(compute).table == before.table);
  BOOST_TEST(sizes_of(compute).toast == before.toast);
  compute.execute(insert_as_much);
  const table_sizes on_branch = sizes_of(compute);
  BOOST_TEST_MESSAGE("table " << before.table << " -> " << on_source.table << " on the source, " << on_branch.table
                              << " on the branch; toast " << before.toast << " -> " << on_source.toast << ", "
                              << on_branch.toast);
  BOOST_TEST(on_branch.table <= on_source.table);
  BOOST_TEST(on_branch.toast <= on_source.toast);
}

BOOST_AUTO_TEST_CASE(an_export_knows_the_same_free_space_as_its_source_after_vacuum) {
  postgres_cluster source({.data_checksums = true, .config = {"autovacuum = off", "wal_keep_size = 2GB"}});
  source.start();
  source.execute(make_tables);
  // Large enough for several pages of the map's lowest level; rows of many sizes.
  source.execute(
      "create table many as select i as id, repeat('x', i % 400) as body from generate_series(1, 200000) i;"
      "create materialized view digest as select id, repeat(body, 2) from plain where id < 20000");
  source.execute("create table cut as select i as id, repeat('x', 500) as body from generate_series(1, 20000) i");
  source.execute("delete from cut where id % 3 = 0");
  source.execute("vacuum cut");
  timeline_home home;
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");
  source.execute(delete_half);
  source.execute("delete from many where id % 7 = 0 or id % 400 > 390; delete from cut where id > 3000");
  source.execute("vacuum (disable_page_skipping) plain, documents, many, digest, cut");
  const core::lsn end = flushed(source);
  const std::vector<std::string> known = free_space_of(source);
  const std::string cut_blocks = source.value("select pg_relation_size('cut') / 8192");
  source.stop();
  import_backup(home, backup);
  ingest_wal(home, source.data_directory() / "pg_wal", end);

  const std::filesystem::path directory = home.directory / "export";
  export_to(home, home.store->last_record_lsn(), directory);
  std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
  const auto copy = postgres_cluster::adopt(directory, {"autovacuum = off"});
  const finished checksums = copy->run("pg_checksums", {"--check"});
  BOOST_TEST(checksums.exit_code == 0, checksums.out << checksums.err);
  copy->start();
  const std::vector<std::string> copied = free_space_of(*copy);
  BOOST_TEST_MESSAGE(known.size() << " blocks");
  BOOST_TEST(known.size() > 10000u);
  BOOST_REQUIRE(copied.size() == known.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < known.size(); ++i)
    if (known[i] != copied[i] && ++different <= 10) BOOST_TEST_MESSAGE(known[i] << " on the source, " << copied[i]);
  BOOST_TEST(different == 0u);
  // VACUUM cut the table: nothing may be known of the blocks behind its end, though the source's map once did.
  BOOST_TEST(copy->value("select pg_relation_size('cut') / 8192") == cut_blocks);
  BOOST_TEST(std::stoul(cut_blocks) < 500u);
  BOOST_TEST(copy->value("select max(pg_freespace('cut', b)) from generate_series(" + cut_blocks + ", 5000) b") == "0");
  copy->stop();
}

BOOST_AUTO_TEST_SUITE_END()
