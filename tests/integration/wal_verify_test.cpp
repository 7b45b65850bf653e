#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/bytes.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace {

namespace fs = std::filesystem;
using namespace strata::tests;

finished verify(std::vector<std::string> words) {
  words.insert(words.begin(), {strata_binary(), "wal", "verify"});
  return run({.arguments = std::move(words), .environment = {{"NO_COLOR", "1"}}}, std::chrono::minutes(2));
}

nlohmann::json json_of(const finished& said) {
  BOOST_REQUIRE_MESSAGE(said.out.starts_with("{"), said.out + said.err);
  return nlohmann::json::parse(said.out);
}

/// A stopped server with some history under consistency checking, and a copy of its directory from before.
struct stopped_server {
  explicit stopped_server(const postgres_install& install)
      : cluster({.config = {"wal_consistency_checking = all", "autovacuum = off", "wal_keep_size = 1GB"},
                 .install = install}) {
    fs::copy(cluster.data_directory(), before / "data", fs::copy_options::recursive);
    cluster.start();
    cluster.execute("CREATE TABLE seen (id int PRIMARY KEY, note text)");
    cluster.execute("INSERT INTO seen SELECT i, 'row ' || i FROM generate_series(1, 5000) i");
    table = cluster.value("SELECT pg_relation_filepath('seen')");
    cluster.stop();
  }
  [[nodiscard]] std::string directory() const { return cluster.data_directory(); }
  [[nodiscard]] std::string base() const { return before / "data"; }

  temp_dir before;
  postgres_cluster cluster;
  std::string table;
};

void flip_byte(const fs::path& file, std::streamoff at) {
  std::fstream io(file, std::ios::in | std::ios::out | std::ios::binary);
  io.seekg(at);
  const char flipped = static_cast<char>(io.get() ^ 0x55);
  io.seekp(at);
  io.put(flipped);
  BOOST_REQUIRE(io.good());
}

}  // namespace

STRATA_CASE_FOR_MAJORS(integration_wal_verify, a_stopped_server_is_verified_and_a_wrong_byte_is_found, minors::newest) {
  const stopped_server server(install);
  const auto plain = json_of(verify({server.directory(), "--base", server.base(), "--json"}));
  BOOST_TEST(plain["mismatches"] == 0);
  BOOST_TEST(plain["total"]["compared"] > 10000);
  BOOST_TEST(plain["total"]["unknown"] == 0);
  BOOST_TEST(plain["file_pages_compared"] > 500);
  BOOST_TEST(plain["records"]["Heap/INSERT"]["compared"] > 4000);
  BOOST_TEST(plain["records"]["Btree/INSERT_LEAF"]["compared"] > 4000);
  BOOST_TEST(plain["why_ended"] == "end of the WAL");

  const finished without_base = verify({server.directory()});
  BOOST_TEST(without_base.exit_code == 0, without_base.err);
  BOOST_TEST(without_base.out.find("Btree/INSERT_LEAF") != std::string::npos, without_base.out);
  const finished as_archive = verify({server.directory() + "/pg_wal", "--json"});
  BOOST_TEST(json_of(as_archive)["file_pages_compared"] == 0);
  BOOST_TEST(json_of(as_archive)["total"]["compared"] > 10000);

  // The last byte of a row on the third page of the table.
  flip_byte(fs::path(server.directory()) / server.table, 3 * 8192 - 8);
  const finished damaged = verify({server.directory(), "--base", server.base()});
  BOOST_TEST(damaged.exit_code == 1);
  BOOST_TEST(damaged.out.find("block 2: bytes 8184") != std::string::npos, damaged.out);
  BOOST_TEST(damaged.err.find("redo and Postgres differ") != std::string::npos, damaged.err);
}

STRATA_CASE_FOR_MAJORS(integration_wal_verify, a_running_server_is_followed, minors::newest) {
  postgres_cluster cluster(
      {.config = {"wal_consistency_checking = all", "autovacuum = off", "wal_level = replica"}, .install = install});
  cluster.start();
  cluster.execute("CREATE TABLE seen (id int PRIMARY KEY)");
  const std::string from = cluster.value("SELECT pg_current_wal_insert_lsn()");
  cluster.execute("INSERT INTO seen SELECT generate_series(1, 3000)");
  const std::string until = cluster.value("SELECT pg_current_wal_insert_lsn()");
  // What is written behind the end makes the tool see that it has come there.
  cluster.execute("INSERT INTO seen SELECT generate_series(3001, 3100)");
  const auto said =
      json_of(verify({cluster.replication_conninfo(), "--from", from, "--until", until, "--for", "1m", "--json"}));
  BOOST_TEST(said["why_ended"] == "requested end");
  BOOST_TEST(said["mismatches"] == 0);
  BOOST_TEST(said["total"]["compared"] > 5000);
  BOOST_TEST(said["seconds"] < 50);
}

BOOST_AUTO_TEST_SUITE(integration_wal_verify)

BOOST_AUTO_TEST_CASE(what_can_t_be_verified_is_told_with_a_way_on) {
  const temp_dir empty;
  const finished nothing = verify({empty.path().string()});
  BOOST_TEST(nothing.exit_code == 3);
  BOOST_TEST(nothing.err.find("no WAL segments") != std::string::npos, nothing.err);
  BOOST_TEST(verify({(empty / "missing").string()}).exit_code == 3);
  BOOST_TEST(verify({"host=127.0.0.1 port=1 user=postgres"}).exit_code == 6);
  BOOST_TEST(verify({empty.path().string(), "--memory", "a lot"}).exit_code != 0);

  std::ofstream(empty / "000000010000000000000001") << std::string(1 << 20, 'x');
  const finished garbage = verify({empty.path().string()});
  BOOST_TEST(garbage.exit_code == 1);
  BOOST_TEST(garbage.err.find("000000010000000000000001") != std::string::npos, garbage.err);
}

// CREATE DATABASE logs the pages of visibility maps without their content.
BOOST_AUTO_TEST_CASE(maps_of_a_database_copied_through_wal_are_no_mismatch) {
  const temp_dir before;
  postgres_cluster cluster({.config = {"wal_consistency_checking = all", "autovacuum = off", "wal_keep_size = 1GB"}});
  fs::copy(cluster.data_directory(), before / "data", fs::copy_options::recursive);
  cluster.start();
  cluster.execute("create database origin");
  cluster.execute("create table t as select generate_series(1, 20000) i", "origin");
  cluster.execute("vacuum t", "origin");
  cluster.execute("create database logged template origin strategy wal_log");
  const auto change = [&](const char* database) {
    cluster.execute("delete from t where i % 4000 = 1", database);
    cluster.execute("vacuum t", database);
  };
  change("logged");
  // A copy by files has what its source has; the catalogs of that were copied through WAL.
  cluster.execute("create database copied template origin strategy file_copy");
  change("copied");
  cluster.stop();
  for (const bool with_base : {true, false}) {
    std::vector<std::string> words{cluster.data_directory().string(), "--json"};
    if (with_base) words.insert(words.end(), {"--base", (before / "data").string()});
    const finished said = verify(words);
    BOOST_TEST(said.exit_code == 0, said.out << said.err);
    BOOST_TEST(json_of(said)["mismatches"] == 0);
    BOOST_TEST(json_of(said)["map_pages_left_out"] == 1);
  }
}

// A crash loses WAL that was not yet on disk, and pages in memory; what was written to files beside the WAL stays.
BOOST_AUTO_TEST_CASE(what_a_crash_lost_is_no_mismatch) {
  const temp_dir before;
  postgres_cluster cluster(
      {.data_checksums = true,
       .config = {"full_page_writes = off", "autovacuum = off", "bgwriter_lru_maxpages = 0", "wal_buffers = 4MB",
                  "wal_keep_size = 1GB", "checkpoint_timeout = 1d", "max_wal_size = 10GB"}});
  fs::copy(cluster.data_directory(), before / "data", fs::copy_options::recursive);
  cluster.start();

  // Nothing to compare with: said at once, not after a minute.
  const auto begun = std::chrono::steady_clock::now();
  const finished off = verify({cluster.replication_conninfo(), "--for", "1m"});
  BOOST_TEST(off.exit_code == 1, off.out << off.err);
  BOOST_TEST(off.err.find("wal_consistency_checking is off") != std::string::npos, off.err);
  BOOST_TEST((std::chrono::steady_clock::now() - begun < std::chrono::seconds(30)));

  cluster.execute("create table hinted as select i from generate_series(1, 2000) i");
  cluster.execute("create table big as select i, md5(i::text) m from generate_series(1, 150000) i");
  cluster.execute("checkpoint");
  // Sets hints, whose records have no image and move the pages' LSNs in memory only.
  cluster.execute("select count(*) from hinted");
  const auto writer = std::stoi(cluster.value("select pid from pg_stat_activity where backend_type = 'walwriter'"));
  BOOST_REQUIRE(::kill(writer, SIGSTOP) == 0);
  cluster.execute("create table flushed (x int)");
  {
    sql_session open(cluster.conninfo());
    open.execute("begin");
    // Of the large index the last 4 MB of WAL are lost, of the small one all.
    open.execute("create index on big (m)");
    open.execute("create index on hinted (i)");
    cluster.kill_all();
  }
  cluster.start();
  cluster.execute("insert into flushed values (1)");
  cluster.stop();

  const finished said = verify({cluster.data_directory().string(), "--base", (before / "data").string(), "--json"});
  BOOST_TEST(said.exit_code == 0, said.out << said.err);
  BOOST_TEST(json_of(said)["mismatches"] == 0);
  BOOST_TEST(json_of(said)["file_pages_explained"] > 100);
  BOOST_TEST(said.err.find("with wal_consistency_checking off") != std::string::npos, said.err);
  const finished without_base = verify({cluster.data_directory().string()});
  BOOST_TEST(without_base.exit_code == 0, without_base.out << without_base.err);
}

BOOST_AUTO_TEST_CASE(wal_that_ends_before_the_last_checkpoint_is_an_error) {
  stopped_server server(postgres_installs().front());
  // In the middle of the history, long before the shutdown's checkpoint.
  flip_byte(fs::path(server.directory()) / "pg_wal/000000010000000000000002", 4 << 20);
  const finished said = verify({server.directory(), "--base", server.base()});
  BOOST_TEST(said.exit_code == 1, said.out);
  BOOST_TEST(said.err.find("ends before the server's last checkpoint") != std::string::npos, said.err);
}

BOOST_AUTO_TEST_SUITE_END()
