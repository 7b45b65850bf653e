#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <set>

#include "core/lsn.hpp"
#include "pg/files/control_file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/tar.hpp"
#include "pg/verify/page_masks.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/mapping/directory.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/timeline_pipeline.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::pg::verify;

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
  create table documents (id serial, tags int[], p point, r int4range, j jsonb);
  insert into documents (tags, p, r, j)
    select array[i % 7, i % 11, i % 13], point(i % 100, i % 89), int4range(i, i + 10), jsonb_build_object('k', i % 50)
    from generate_series(1, 5000) i;
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
  begin; insert into plain values (-1, 'p2', 1); prepare transaction 'p2';
  commit prepared 'p2';
  begin; insert into plain values (-2, 'p3', 1); create table unborn (x int); prepare transaction 'p3';
  rollback prepared 'p3';
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

/// Tables that come and go while the backup is taken.
constexpr const char* coming_and_going = R"(
create table if not exists churn_:client_id (x int primary key, y text);
insert into churn_:client_id select i, md5(i::text) from generate_series(1, 300) i on conflict do nothing;
create table if not exists wave_:client_id as select generate_series(1, 3000) x;
truncate wave_:client_id;
insert into wave_:client_id select generate_series(1, 100);
begin; create table lost_:client_id as select generate_series(1, 500) x; rollback;
delete from churn_:client_id where x > 20;
vacuum churn_:client_id;
drop table wave_:client_id;
)";

/// After the record of the checkpoint with which the server stopped.
core::lsn shutdown_end(const postgres_cluster& of) {
  std::ifstream file(of.data_directory() / "global/pg_control", std::ios::binary);
  core::bytes content(pg::files::control_file_size);
  file.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(content.size()));
  const auto control = pg::files::decode_control_file(content);
  BOOST_REQUIRE(control);
  const core::lsn end = control->checkpoint_location + 120;
  const std::uint64_t page = end.value / pg::wal_page_size * pg::wal_page_size;
  if (page == end.value || page < control->checkpoint_location.value) return end;
  return end + (page % control->wal_segment_size == 0 ? 40 : 24);
}

/// Every logged page of the stopped server's files against the timeline at its last record; LSNs count. And no relation
/// too many or too few.
void compare_pages(timeline_home& home, const postgres_cluster& with, core::lsn backup_start,
                   const std::set<pg::oid>& copied_by_logging) {
  using enum storage::read_mode;
  namespace fs = std::filesystem;
  const core::lsn at = home.store->last_record_lsn();
  std::map<pg::files::relation_file, fs::path> files;
  for (const char* top : {"base", "global", "pg_tblspc"})
    for (const auto& entry :
         fs::recursive_directory_iterator(with.data_directory() / top, fs::directory_options::follow_directory_symlink))
      if (const auto found = pg::files::classify(entry.path().lexically_relative(with.data_directory()).string(),
                                                 home.store->record().major);
          found.kind == pg::files::path_kind::relation)
        files.emplace(found.relation, entry.path());
  std::uint64_t compared = 0;
  std::vector<std::string> differences;
  for (const auto& [file, path] : files) {
    pg::relation_fork init = file.relation;
    init.fork = pg::fork::init;
    if (file.relation.fork == pg::fork::fsm || (file.relation.fork != pg::fork::init && files.contains({init, 0})))
      continue;
    if (file.relation.fork == pg::fork::vm && copied_by_logging.contains(file.relation.database)) continue;
    if (file.relation.fork == pg::fork::main &&
        !*storage::mapping::relation_exists(*home.store, file.relation, at, may_block))
      differences.push_back(pg::to_string(file.relation) + " is missing");
    std::ifstream content(path, std::ios::binary);
    page_bytes theirs;
    page_bytes ours;
    for (std::uint32_t block = file.segment * pg::blocks_per_relation_segment;
         content.read(reinterpret_cast<char*>(theirs.data()), pg::page_size); ++block) {
      storage::mapping::page_request request{file.relation, block, ours, {}};
      storage::mapping::read_relation_pages(*home.store, {&request, 1}, at, may_block);
      const page_kind kind = kind_of(theirs, file.relation.fork);
      // Init forks are written without an LSN. A new page of a visibility map has a header, of which WAL says nothing.
      const lsn_counts lsn = file.relation.fork == pg::fork::init ? lsn_counts::no : lsn_counts::yes;
      if (kind == page_kind::visibility_map && strata::pg::verify::all_zero(ours))
        std::fill_n(theirs.begin(), 24, std::uint8_t{0});
      ++compared;
      const std::string name = pg::to_string(file.relation) + " block " + std::to_string(block);
      if (request.failure)
        differences.push_back(name + ": " + core::to_string(*request.failure));
      else if (kind != page_kind::sequence && masked(ours, kind, block, lsn) != masked(theirs, kind, block, lsn))
        differences.push_back(name + ": " + describe_difference(ours, theirs));
    }
  }
  const auto databases = storage::mapping::databases(*home.store, at);
  BOOST_REQUIRE(databases);
  for (const storage::mapping::database_entry& database : *databases) {
    const auto relations = storage::mapping::relations(*home.store, database.tablespace, database.database, at);
    BOOST_REQUIRE(relations);
    for (const storage::mapping::relation_entry& each : *relations) {
      if (each.relation.fork == pg::fork::fsm || files.contains({each.relation, 0})) continue;
      // A file whose drop was committed before the backup's start may still be in the copy, as on a stock standby.
      const auto at_start = storage::mapping::relation_size(*home.store, each.relation, backup_start, may_block);
      BOOST_REQUIRE(at_start);
      if (!*at_start) differences.push_back(pg::to_string(each.relation) + " should be gone");
    }
  }
  BOOST_TEST_MESSAGE("compared " << compared << " pages of " << files.size() << " files");
  BOOST_TEST(compared > 3000u);
  BOOST_TEST(differences.empty(), differences.size() << " differences");
  for (std::size_t i = 0; i < std::min<std::size_t>(differences.size(), 20); ++i) BOOST_TEST_MESSAGE(differences[i]);
}

struct source_and_copy {
  source_and_copy(const postgres_install& install, bool checksums, const std::vector<std::string>& initdb,
                  const std::vector<std::string>& config)
      : source({.data_checksums = checksums,
                .initdb_arguments = initdb,
                .config = {"wal_level = replica", "max_prepared_transactions = 10", "wal_keep_size = 2GB",
                           "max_wal_size = 64MB", "autovacuum_naptime = 1s", "max_connections = 40"},
                .install = install}) {
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

void round_trip(const postgres_install& install, bool checksums, const std::vector<std::string>& initdb,
                const std::vector<std::string>& config) {
  source_and_copy test(install, checksums, initdb, config);
  postgres_cluster& source = test.source;
  source.execute(std::string(before_backup));
  lock_together(source);
  source.execute("create database origin");
  source.execute("create table o as select i, md5(i::text) from generate_series(1, 2000) i", "origin");
  BOOST_REQUIRE(source.run("pgbench", {"-i", "-s", "2", "-q"}).exit_code == 0);

  const auto load = source.spawn("pgbench", {"-c", "4", "-T", "600", "-n"});
  std::ofstream(source.work_directory() / "churn.sql") << coming_and_going;
  const auto churn =
      source.spawn("pgbench", {"-c", "2", "-T", "600", "-n", "-f", (source.work_directory() / "churn.sql").string()});
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
  churn->signal(2);
  BOOST_REQUIRE(churn->wait_for(std::chrono::seconds(30)));
  BOOST_REQUIRE(load->wait_for(std::chrono::seconds(30)));

  const contents at_middle = contents_of(source);
  const core::lsn middle = test.flushed();
  lock_together(source);
  // 14 copies files and has no other way.
  const bool strategies = install.major >= 15;
  source.execute("create database copied template origin" + std::string(strategies ? " strategy file_copy" : ""));
  source.execute("create database logged template template1" + std::string(strategies ? " strategy wal_log" : ""));
  source.execute("create table t as select generate_series(1, 100) x", "logged");
  source.execute("create database doomed; ");
  source.execute("drop database doomed");
  source.execute(
      "update locked set v = v + 100 where id between 60 and 100; checkpoint; insert into locked values (5000, 5000)");
  const contents at_end = contents_of(source);
  const core::lsn end = test.flushed();
  const auto logged =
      static_cast<pg::oid>(std::stoul(source.value("select oid from pg_database where datname = 'logged'")));
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
  ingest_wal(test.home, source.data_directory() / "pg_wal", shutdown_end(source));
  compare_pages(test.home, source, cluster.start, {logged});
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

STRATA_CASE_FOR_MAJORS(storage_mapping_round_trip,
                       a_backup_under_load_and_its_wal_come_back_as_a_server_with_the_same_rows, minors::newest) {
  round_trip(install, false, {}, {});
}

BOOST_AUTO_TEST_SUITE(integration_mapping_round_trip)

BOOST_AUTO_TEST_CASE(the_same_with_checksums_small_segments_hints_in_wal_and_compressed_images) {
  round_trip(postgres_installs().front(), true, {"--wal-segsize=1"},
             {"wal_log_hints = on", "wal_compression = lz4", "wal_level = logical"});
}

BOOST_AUTO_TEST_CASE(a_copy_starts_where_a_round_of_transaction_numbers_ends) {
  constexpr std::uint64_t round = std::uint64_t{1} << 32;
  postgres_cluster source({.config = {"wal_keep_size = 1GB", "autovacuum = off"}});
  source.start();
  BOOST_REQUIRE(source.run("vacuumdb", {"--all", "--freeze", "--quiet"}).exit_code == 0);
  source.stop();
  // As after four billion transactions: the round's last status pages are there, and its first ones long gone.
  const std::filesystem::path status = source.data_directory() / "pg_xact";
  std::filesystem::rename(status / "0000", status / "0FFF");
  std::filesystem::resize_file(status / "0FFF", 0);
  std::filesystem::resize_file(status / "0FFF", pg::pages_per_slru_segment * pg::page_size);
  const finished reset = source.run(
      "pg_resetwal",
      {"-x", std::to_string(round - 1100), "-u", std::to_string(round - 1200), "-D", source.data_directory().string()});
  BOOST_REQUIRE_MESSAGE(reset.exit_code == 0, reset.err);
  source.start();
  source.execute("create table t (x int)");
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");
  struct moment {
    std::uint64_t next_xid;
    core::lsn at;
    std::string rows;
  };
  std::vector<moment> moments;
  for (const std::uint64_t next : {round - 1025, round - 1024, round - 700, round - 1, round, round + 5}) {
    const std::uint64_t now = std::stoull(source.value("select pg_snapshot_xmax(pg_current_snapshot())"));
    BOOST_REQUIRE((now < next));
    source.execute("do $$ begin for i in 1.." + std::to_string(next - now) +
                   " loop insert into t values (i); commit; end loop; end $$");
    moments.push_back({next,
                       pg::wal::before_header(*core::parse_lsn(source.value("select pg_current_wal_insert_lsn()"))),
                       source.value("select count(*) from t")});
  }
  source.stop();
  timeline_home home;
  import_backup(home, backup);
  ingest_wal(home, source.data_directory() / "pg_wal", shutdown_end(source));
  for (const moment& each : moments) {
    BOOST_TEST_CONTEXT("next transaction 2^32 " << static_cast<std::int64_t>(each.next_xid - round)) {
      const std::filesystem::path directory = home.directory / ("export-" + std::to_string(each.next_xid));
      export_to(home, each.at, directory);
      std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
      {
        const auto copy = postgres_cluster::adopt(directory, {"autovacuum = off"});
        copy->start();
        BOOST_TEST(copy->value("select count(*) from t") == each.rows);
        copy->execute("insert into t values (-1)");
        copy->restart();
        BOOST_TEST(copy->value("select count(*) - 1 from t") == each.rows);
        copy->stop();
      }
      std::filesystem::remove_all(directory);
    }
  }
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
