#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/integration/compute/branch_fixture.hpp"
#include "tests/support/major_cases.hpp"

using namespace strata::tests;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A server with safekeepers and nothing else.
struct with_safekeepers {
  with_safekeepers() { strata.start(); }
  void check_refused(const std::vector<std::string>& arguments, int exit_code, const std::string& said) const {
    const finished got = strata.cli(arguments);
    const std::string line = arguments[0] + " " + arguments[1] + ": " + got.out + got.err;
    BOOST_TEST(got.exit_code == exit_code, line);
    BOOST_TEST(mentions(got.err, said), line);
    BOOST_TEST(mentions(got.err, "next:"), line);
    BOOST_TEST(strata.api("GET", "/v1/tenant").size() == tenants, line);
  }
  std::string query(const std::string& branch, const std::string& sql) const {
    const finished got = strata.cli({"psql", branch, "--", "-XAtqc", sql});
    BOOST_REQUIRE_MESSAGE(got.exit_code == 0, got.out << got.err);
    return got.out.substr(0, got.out.find('\n'));
  }
  void signal_safekeeper(int id, int number) const {
    std::ifstream file(strata.directory() / "safekeepers" / std::to_string(id) / "safekeeper.json");
    ::kill(json::parse(file).at("pid"), number);
  }
  /// A change of any file in it changes this.
  static std::string state_of(const fs::path& directory) {
    return run({.arguments = {"sh", "-c",
                              "cd '" + directory.string() + "' && find . -type f | sort | xargs md5sum | md5sum"}})
        .out;
  }

  strata_server strata{{.arguments = {"--safekeepers", "3"}}};
  std::size_t tenants = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(integration_compute_own_database)

BOOST_AUTO_TEST_CASE(a_database_begins_empty_and_is_written_branched_and_deleted) {
  with_safekeepers of;
  const json made = of.strata.ask({"create", "shop", "--pg", "15"});
  BOOST_TEST(made.at("pg_version") == 15);
  BOOST_TEST(of.strata.timeline("shop").at("follows") == "safekeepers");
  BOOST_TEST(!of.strata.timeline("shop").contains("source"));
  BOOST_TEST(of.query("main",
                      "select current_user || ' ' || pg_encoding_to_char(encoding) || ' ' || datcollate from "
                      "pg_database where datname = 'postgres'") == "postgres UTF8 C.UTF-8");
  of.query("main", "create table rows as select generate_series(1, 1000) as id");
  of.strata.ask({"branch", "create", "try"});
  of.query("try", "delete from rows");
  // The Postgres that wrote it is lost, and so is the server.
  const json compute = of.strata.ask({"compute", "list"}).at(0);
  with_branch::lose(compute);
  of.strata.kill();
  of.strata.start();
  of.strata.ask({"compute", "start", "main"});
  BOOST_TEST(of.query("main", "select count(*) from rows") == "1000");
  BOOST_TEST(of.query("try", "select count(*) from rows") == "0");
  BOOST_TEST(mentions(of.strata.cli({"status"}).out, "no source"));
  BOOST_TEST(mentions(of.strata.cli({"source", "list"}).out, "no source"));
  BOOST_TEST(mentions(of.strata.cli({"branch", "list"}).out, "no source"));

  // The second one needs no initdb, and is another cluster; a damaged template is made again.
  const auto identity = "select system_identifier from pg_control_system()";
  BOOST_TEST(!mentions(of.strata.cli({"create", "second", "--pg", "15"}).err, "initdb"));
  BOOST_TEST(of.query("second/main", identity) != of.query("shop/main", identity));
  std::ofstream(of.strata.directory() / "templates/15-UTF8-C.UTF-8/data/base/1/1259") << "damage";
  BOOST_TEST(mentions(of.strata.cli({"create", "third", "--pg", "15"}).err, "made again"));
  BOOST_TEST(of.query("third/main", "select 1") == "1");

  of.tenants = 3;
  of.check_refused({"create", "shop"}, 4, "is taken");
  of.check_refused({"create", "other", "--locale", "xx_YY"}, 2, "locale");
  of.check_refused({"create", "other", "--encoding", "../../etc"}, 2, "is not a name");
  of.check_refused({"create", "other", "--pg", "13"}, 1, "13 is not supported");
  of.check_refused({"create", "no/name"}, 2, "name");
  of.check_refused({"delete", "shop", "--yes"}, 4, "it has computes");
  of.check_refused({"source", "promote", "shop"}, 4, "follows no source");
  of.strata.ask({"delete", "shop", "--force", "--yes"});
  BOOST_TEST(of.strata.api("GET", "/v1/tenant").size() == 2u);

  // Without a majority it is created, and can't be written yet.
  for (const int id : {2, 3}) of.signal_safekeeper(id, SIGSTOP);
  const finished fourth = of.strata.cli({"create", "fourth", "--pg", "15"});
  BOOST_TEST(fourth.exit_code == 0, fourth.err);
  BOOST_TEST(mentions(fourth.err, "fourth/main can't be written now: "), fourth.err);
  BOOST_TEST(mentions(fourth.err, "waits until a majority of its safekeepers runs"), fourth.err);
  for (const int id : {2, 3}) of.signal_safekeeper(id, SIGCONT);
  BOOST_TEST(of.query("fourth/main", "select 1") == "1");
}

BOOST_AUTO_TEST_CASE(a_stopped_directory_and_its_archive_are_imported_and_a_running_one_is_not) {
  with_safekeepers of;
  postgres_cluster source({.data_checksums = true, .initdb_arguments = {"--wal-segsize=1"}});
  source.start();
  const std::string space = source.work_directory() / "space";
  source.execute("copy (select 1) to program 'mkdir " + space + "'");  // as the user of the server
  source.execute("create table rows as select i as id, md5(i::text) as word from generate_series(1, 5000) i");
  source.execute("create tablespace aside location '" + space + "'");
  source.execute("create table far tablespace aside as select * from rows");
  const std::string sum = "select count(*) || ' ' || sum(hashtext(rows.word)) from rows join far using (id)";
  const std::string identity = "select system_identifier from pg_control_system()";
  const std::string wanted = source.value(sum);
  const std::string known = source.value(identity);
  // The end of its transaction is in pg_xact alone.
  source.execute("create database shop");
  const std::string database = source.value("select oid from pg_database where datname = 'shop'");
  const fs::path data = source.data_directory();
  of.check_refused({"import", "copy", data}, 4, "a server runs on it");
  source.kill_all();
  of.check_refused({"import", "copy", data}, 4, "was not shut down");
  source.start();
  source.stop();
  of.check_refused({"import", "copy", data / "base"}, 2, "no data directory");
  of.check_refused({"import", "copy", data / "nowhere"}, 3, "there is no directory");
  const fs::path control = data / "global/pg_control";
  const fs::path saved = source.work_directory() / "saved";
  fs::copy_file(control, saved);
  fs::resize_file(control, 200);
  of.check_refused({"import", "copy", data}, 1, "pg_control");
  fs::copy_file(saved, control, fs::copy_options::overwrite_existing);
  const fs::path table = data / "base/1/1259";
  const fs::path whole = source.work_directory() / "whole";
  fs::copy_file(table, whole);
  {
    std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192 + 4000);
    file.put('\x55').put('\x66');
  }
  of.check_refused({"import", "copy", data}, 1, "wrong checksum");
  fs::copy_file(whole, table, fs::copy_options::overwrite_existing);

  const std::string shop = (data / "base").string() + "/" + database;
  fs::rename(shop, source.work_directory() / "shop");
  of.check_refused({"import", "copy", data}, 1, "the directory of database shop is missing: " + database);
  fs::rename(source.work_directory() / "shop", shop);

  const std::string before = of.state_of(data);
  of.strata.ask({"import", "copy", data});
  BOOST_TEST(of.state_of(data) == before);
  BOOST_TEST(of.query("copy/main", sum) == wanted);
  BOOST_TEST(of.query("copy/main", identity) == known);
  of.query("copy/main", "insert into rows select -i, 'new' from generate_series(1, 100) i");
  BOOST_TEST(of.query("copy/main", "select count(*) from rows") == "5100");

  const fs::path archive = source.work_directory() / "copy.tar";
  const finished exported = of.strata.cli({"export", "copy/main", "-o", archive});
  BOOST_REQUIRE_MESSAGE(exported.exit_code == 0, exported.err);
  // As another tar packs it.
  const fs::path again = source.work_directory() / "again";
  fs::create_directories(again);
  BOOST_REQUIRE(run({.arguments = {"tar", "-xf", archive, "-C", again}}).exit_code == 0);
  const std::string pax = source.work_directory() / "pax.tar.gz";
  BOOST_REQUIRE(run({.arguments = {"tar", "--format=pax", "-czf", pax, "-C", again, "."}}).exit_code == 0);
  of.strata.ask({"import", "again", pax});
  BOOST_TEST(of.query("again/main", "select count(*) from rows") == "5100");
}

BOOST_AUTO_TEST_CASE(an_import_that_the_death_of_the_server_cuts_short_leaves_nothing) {
  with_safekeepers of;
  postgres_cluster source;
  // Zeros that take a while.
  for (const char* name : {"base/5/99999", "base/5/99999.1", "base/5/99999.2"}) {
    fs::create_directories((source.data_directory() / name).parent_path());
    std::ofstream(source.data_directory() / name).close();
    fs::resize_file(source.data_directory() / name, std::uintmax_t{1} << 30);
  }
  const auto command = of.strata.program({"import", "big", source.data_directory()});
  process import(command);
  wait_until("the import runs", [&] {
    const json all = of.strata.api("GET", "/v1/tenant");
    return !all.empty() && all[0].at("state").at("slug") == "Importing";
  });
  of.tenants = 1;
  of.check_refused({"create", "big"}, 4, "is taken");
  of.strata.kill();
  BOOST_TEST(import.wait().exit_code != 0);
  of.strata.start();
  BOOST_TEST(of.strata.api("GET", "/v1/tenant").empty());
  BOOST_TEST(mentions(of.strata.log(), "was interrupted: it is removed"), of.strata.log());
  BOOST_TEST(fs::is_empty(of.strata.directory() / "tenants"));
  of.strata.ask({"create", "big", "--pg", "15"});
  BOOST_TEST(of.query("main", "select 1") == "1");
}

BOOST_AUTO_TEST_SUITE_END()

STRATA_CASE_FOR_MAJORS(integration_compute_own_database, a_database_of_each_major_begins_empty, minors::newest) {
  with_safekeepers of;
  of.strata.ask({"create", "db", "--pg", std::to_string(install.major)});
  of.query("main", "create table t as select 7 as seven");
  BOOST_TEST(of.query("main", "select seven || ' ' || current_setting('server_version_num')::int / 10000 from t") ==
             "7 " + std::to_string(install.major));
}
