#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <set>

#include "core/lsn.hpp"
#include "pg/files/tar.hpp"
#include "storage/mapping/directory.hpp"
#include "tests/support/timeline_pipeline.hpp"

using namespace strata;
using namespace strata::tests;

namespace {

/// One line for each table of each database: its rows, in any order.
using contents = std::map<std::string, std::string>;

contents contents_of(postgres_cluster& cluster) {
  contents found;
  for (const sql_row& database :
       cluster.query("select datname from pg_database where datallowconn and datname <> 'template0' order by 1")) {
    const std::string& name = *database[0];
    for (const sql_row& table : cluster.query(
             "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = "
             "c.relnamespace where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') "
             "and c.relpersistence = 'p' order by 1",
             name))
      found[name + "/" + *table[0]] = cluster.value(
          "select count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) from " + *table[0] + " t", name);
    found[name + "/sequences"] = cluster.value(
        "select coalesce(string_agg(relname, ',' order by 1), '') from pg_class "
        "where relkind = 'S'",
        name);
  }
  found["prepared"] = cluster.value("select coalesce(string_agg(gid, ',' order by 1), '') from pg_prepared_xacts");
  return found;
}

constexpr const char* before_backup = R"(
  create extension if not exists amcheck;
  create table plain (id int primary key, t text, n numeric);
  insert into plain select i, repeat(md5(i::text), 3), i * 1.5 from generate_series(1, 20000) i;
  create index plain_hash on plain using hash (t);
  create table documents (id serial, tags int[], p point, r int4range, j jsonb);
  insert into documents (tags, p, r, j)
    select array[i % 7, i % 11, i % 13], point(i % 100, i % 89), int4range(i, i + 10), jsonb_build_object('k', i % 50)
    from generate_series(1, 5000) i;
  create index on documents using gin (tags);
  create index on documents using gin (j);
  create index on documents using gist (p);
  create index on documents using spgist (r);
  create index on documents using brin (id);
  create unlogged table volatile (x int primary key);
  insert into volatile select generate_series(1, 1000);
  create table locked (id int primary key, v int);
  insert into locked select i, 0 from generate_series(1, 100) i;
  create table gone (x int, y text);
  insert into gone select i, md5(i::text) from generate_series(1, 3000) i;
  create table in_space (x int, y text) tablespace elsewhere;
  insert into in_space select i, md5(i::text) from generate_series(1, 3000) i;
)";

constexpr const char* after_backup = R"(
  insert into plain select i, repeat(md5(i::text), 3), i * 1.5 from generate_series(20001, 30000) i;
  update plain set n = n + 1 where id % 3 = 0;
  delete from plain where id % 10 = 0;
  vacuum (freeze) plain;
  delete from in_space where x > 500;
  vacuum in_space;
  update documents set tags = tags || 99, p = point(id, id) where id % 4 = 0;
  delete from documents where id % 9 = 0;
  vacuum documents;
  drop table gone;
  create table reborn (x int primary key, big text);
  insert into reborn select i, repeat(md5(i::text), 200) from generate_series(1, 500) i;
  begin; create table never (x int); insert into never select generate_series(1, 2000); rollback;
  create unlogged table volatile2 (x int primary key);
  insert into volatile2 select generate_series(1, 1000);
  truncate reborn; insert into reborn select i, 'again' from generate_series(1, 50) i;
  create materialized view digest as select id % 100 as bucket, count(*) from plain group by 1;
  cluster plain using plain_pkey;
  begin; insert into locked select i, 1 from generate_series(101, 200) i; savepoint a
    ; update locked set v = 5 where id < 20; rollback to a; savepoint b; update locked set v = 6 where id < 10
    ; release b; prepare transaction 'kept';
)";

/// Multixacts: two sessions hold shared locks on the same rows.
void lock_together(postgres_cluster& cluster) {
  sql_session one(cluster.conninfo());
  sql_session two(cluster.conninfo());
  for (int i = 30; i < 60; ++i) {
    const std::string lock = "select * from locked where id = " + std::to_string(i) + " for share";
    one.execute("begin");
    one.execute(lock);
    two.execute("begin; savepoint s");
    two.execute(lock);
    one.execute("commit");
    two.execute("update locked set v = v + 1 where id = " + std::to_string(i));
    two.execute("commit");
  }
}

struct source_and_copy {
  source_and_copy(bool checksums, const std::vector<std::string>& initdb, const std::vector<std::string>& config)
      : source({.data_checksums = checksums,
                .initdb_arguments = initdb,
                .config = {"wal_level = replica", "max_prepared_transactions = 10", "wal_keep_size = 2GB",
                           "max_wal_size = 64MB", "autovacuum_naptime = 1s", "max_connections = 40"}}) {
    for (const std::string& line : config) source.configure(line);
    source.start();
    space = source.work_directory() / "space";
    std::filesystem::create_directories(space);
    const auto account = postgres_account();
    if (account) BOOST_REQUIRE(::chown(space.c_str(), account->user, account->group) == 0);
    source.execute("create tablespace elsewhere location '" + space.string() + "'");
  }

  core::lsn flushed() { return core::parse_lsn(source.value("select pg_current_wal_flush_lsn()")).value(); }

  /// A stock server on the timeline as of the LSN, with what it holds.
  contents contents_at(core::lsn at, bool writes) {
    const std::filesystem::path directory = home.directory / ("export-" + core::to_string(at).substr(2));
    export_to(home, at, directory);
    std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
    contents found;
    {
      const auto copy = postgres_cluster::adopt(directory, {"autovacuum = off"});
      copy->start();
      BOOST_TEST(copy->log().find("was not properly shut down") == std::string::npos);
      found = contents_of(*copy);
      BOOST_TEST(copy->value("select count(*) from volatile") == "0");
      const finished checked = copy->run("pg_amcheck", {"--all", "--heapallindexed", "--install-missing"});
      BOOST_TEST(checked.exit_code == 0, checked.out << checked.err);
      if (writes) write_to(*copy);
      copy->stop();
    }
    std::filesystem::remove_all(directory);
    return found;
  }
  static void write_to(postgres_cluster& copy) {
    copy.execute("insert into volatile select generate_series(1, 10)");
    copy.execute("create table fresh as select generate_series(1, 5000) x; insert into locked values (9999, 1)");
    copy.execute("commit prepared 'kept'");
    BOOST_TEST(copy.value("select count(*) from locked") == "202");
    copy.execute("vacuum full");
    copy.execute("checkpoint");
    copy.restart(stop_mode::immediate);
    BOOST_TEST(copy.value("select count(*) from fresh") == "5000");
    BOOST_TEST(copy.value("select count(*) from locked") == "202");
  }

  postgres_cluster source;
  std::filesystem::path space;
  timeline_home home;
};

void round_trip(bool checksums, const std::vector<std::string>& initdb, const std::vector<std::string>& config) {
  source_and_copy test(checksums, initdb, config);
  postgres_cluster& source = test.source;
  source.execute(std::string(before_backup));
  lock_together(source);
  source.execute("create database origin");
  source.execute("create table o as select i, md5(i::text) from generate_series(1, 2000) i", "origin");
  BOOST_REQUIRE(source.run("pgbench", {"-i", "-s", "2", "-q"}).exit_code == 0);

  const auto load = source.spawn("pgbench", {"-c", "4", "-T", "600", "-n"});
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");
  for (const std::string& statement : [&] {
         std::vector<std::string> statements;
         std::string text = after_backup;
         for (std::size_t end; (end = text.find(";\n")) != std::string::npos; text.erase(0, end + 2))
           statements.push_back(text.substr(0, end));
         return statements;
       }())
    source.execute(statement);
  load->signal(2);
  BOOST_REQUIRE(load->wait_for(std::chrono::seconds(30)));

  const contents at_middle = contents_of(source);
  const core::lsn middle = test.flushed();
  lock_together(source);
  source.execute("create database copied template origin strategy file_copy");
  source.execute("create database logged template template1 strategy wal_log");
  source.execute("create table t as select generate_series(1, 100) x", "logged");
  source.execute("create database doomed; ");
  source.execute("drop database doomed");
  source.execute(
      "update locked set v = v + 100 where id between 60 and 100; checkpoint; insert into locked values (5000, 5000)");
  const contents at_end = contents_of(source);
  const core::lsn end = test.flushed();
  source.stop();

  const auto cluster = import_backup(test.home, backup);
  BOOST_TEST(cluster.data_checksums == checksums);
  const ingested done = ingest_wal(test.home, source.data_directory() / "pg_wal", end);
  BOOST_TEST_MESSAGE("ingested " << done.records << " records, " << done.bytes << " bytes, "
                                 << static_cast<double>(done.bytes) / 1e6 / done.seconds_adding << " MB/s in add()");
  // What is flushed may end inside a record that nobody waited for.
  const core::lsn last = test.home.store->last_record_lsn();
  BOOST_TEST((last <= end && end - last < pg::wal_page_size), core::to_string(last) << " of " << core::to_string(end));
  BOOST_TEST(test.contents_at(last, true) == at_end);
  BOOST_TEST(test.contents_at(middle, false) == at_middle);
}

std::map<std::string, std::uint64_t> entries_of(const core::bytes& archive) {
  pg::files::tar_reader reader;
  reader.feed(archive);
  std::map<std::string, std::uint64_t> found;
  while (true) {
    const auto event = reader.next();
    BOOST_REQUIRE(event);
    if (!*event || (*event)->kind == pg::files::tar_event::kind::archive_end) break;
    if ((*event)->kind == pg::files::tar_event::kind::entry) found[(*event)->entry->name] = (*event)->entry->size;
  }
  BOOST_TEST(reader.complete());
  return found;
}

}  // namespace

namespace std {
ostream& boost_test_print_type(ostream& to, const contents& of) {
  for (const auto& [table, rows] : of) to << '\n' << table << ": " << rows;
  return to;
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(storage_mapping_round_trip)

BOOST_AUTO_TEST_CASE(a_backup_under_load_and_its_wal_come_back_as_a_server_with_the_same_rows) {
  round_trip(false, {}, {});
}

BOOST_AUTO_TEST_CASE(the_same_with_checksums_small_segments_hints_in_wal_and_compressed_images) {
  round_trip(true, {"--wal-segsize=1"}, {"wal_log_hints = on", "wal_compression = lz4", "wal_level = logical"});
}

BOOST_AUTO_TEST_CASE(the_compute_kind_has_everything_but_relation_data) {
  postgres_cluster source({.config = {"wal_keep_size = 1GB"}});
  source.start();
  source.execute("create unlogged table volatile (x int)");
  timeline_home home;
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");
  import_backup(home, backup);
  const std::string path = source.value("select pg_relation_filepath('volatile')");
  source.stop();
  ingest_wal(home, source.data_directory() / "pg_wal", backup.end);
  const core::lsn at = home.store->last_record_lsn();
  const auto entries =
      entries_of(export_directory(home, {.at = at, .kind = storage::mapping::data_directory_kind::compute}));
  for (const char* name : {"PG_VERSION", "global/pg_filenode.map", "base/5/PG_VERSION", "pg_xact/0000", "neon.signal",
                           "zenith.signal", "global/pg_control", "pg_multixact/offsets/0000"})
    BOOST_TEST(entries.contains(name), name);
  BOOST_TEST(entries.contains(path));
  BOOST_TEST(entries.contains(path + "_init"));
  BOOST_TEST(std::count_if(entries.begin(), entries.end(), [](const auto& entry) {
               return entry.first.starts_with("global/") && entry.first != "global/pg_control" &&
                      entry.first != "global/pg_filenode.map";
             }) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
