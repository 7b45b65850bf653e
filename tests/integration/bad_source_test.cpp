#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/integration/bad_input_fixture.hpp"
#include "tests/support/fake_server.hpp"
#include "tests/support/free_port.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_bad_source)

namespace {

namespace core = strata::core;
namespace fs = std::filesystem;

std::string at_port(std::uint16_t port, const std::string& rest) {
  return "host=127.0.0.1 port=" + std::to_string(port) + " dbname=postgres " + rest;
}

/// Puts lines before all others of pg_hba.conf.
void put_first_in_hba(const postgres_cluster& cluster, const std::string& lines) {
  const fs::path file = cluster.data_directory() / "pg_hba.conf";
  std::ifstream in(file);
  const std::string rest{std::istreambuf_iterator<char>(in), {}};
  std::ofstream(file) << lines << rest;
}

std::vector<std::string> add(const std::string& name, const std::string& conninfo) {
  return {"source", "add", name, "--conninfo", conninfo};
}

/// One word of what is told about the connection; empty as long as nothing is.
std::string told(const strata_server& strata, const std::string& name, const char* what) {
  return strata.timeline(name).value("source", nlohmann::json::object()).value(what, "");
}

/// Until what is WAL now is gone.
void run_wal_away(postgres_cluster& source) {
  source.execute("CREATE TABLE IF NOT EXISTS filler (t text)");
  const std::string first = source.value("SELECT min(name) FROM pg_ls_waldir() WHERE length(name) = 24");
  for (int i = 0; i < 50; ++i) {
    source.execute("INSERT INTO filler VALUES ('x'); SELECT pg_switch_wal()");
    source.execute("CHECKPOINT");
  }
  BOOST_TEST(source.value("SELECT count(*) FROM pg_ls_waldir() WHERE name = '" + first + "'") == "0");
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_source_that_cannot_be_followed_is_refused_with_the_reason_and_leaves_nothing_behind) {
  bad_input_fixture test;
  put_first_in_hba(test.good,
                   "host all guarded 127.0.0.1/32 scram-sha-256\nhost replication guarded 127.0.0.1/32 scram-sha-256\n"
                   "host replication locked_out 127.0.0.1/32 reject\n");
  test.good.execute(
      "SET password_encryption = 'scram-sha-256'; CREATE ROLE guarded LOGIN REPLICATION PASSWORD 'the secret word';"
      "CREATE ROLE weak LOGIN; CREATE ROLE locked_out LOGIN REPLICATION; SELECT pg_reload_conf()");
  test.start();
  const std::uint16_t port = test.good.port();

  test.check_refused(add("bad", at_port(free_port(), "user=postgres")), 6, {"listen_addresses"});
  test.check_refused(add("bad", "host=no-such-host.invalid user=postgres"), 6, {"host name"});
  test.check_refused(add("bad", at_port(port, "user=guarded password=guessed")), 1, {"wrong password"});
  test.check_refused(add("bad", at_port(port, "user=guarded")), 1, {"password"});
  test.check_refused(add("bad", at_port(port, "user=weak")), 1, {"replication"});
  test.check_refused(add("bad", at_port(port, "user=locked_out")), 1, {"pg_hba.conf"});
  test.check_refused(add("bad", "this is no conninfo"), 2, {});
  test.check_refused(add("good", at_port(port, "user=postgres")), 4, {"good"});
  test.check_refused(add("no good name!", at_port(port, "user=postgres")), 2, {});
  test.check_refused({"source", "add", "bad"}, 2, {"--conninfo"});
  {
    const fake_postgres old("13.14");
    test.check_refused(add("bad", at_port(old.port(), "user=postgres")), 1, {"13", "15"});
  }
  // Something that is no Postgres at all.
  const finished strange =
      test.strata.cli(add("bad", at_port(test.strata.http_port(), "user=postgres sslmode=disable")));
  BOOST_TEST(strange.exit_code != 0);

  BOOST_TEST(test.strata.api("GET", "/v1/tenant").size() == 1u);
  BOOST_TEST(test.good.value("SELECT count(*) FROM pg_replication_slots") == "1");
  test.check_that_good_is_served();

  // With the right password it works, and nobody gets to see the password.
  test.strata.add_source("guarded", at_port(port, "user=guarded password='the secret word'"));
  BOOST_TEST(!mentions(test.strata.cli({"source", "list", "--json"}).out, "secret"));
  BOOST_TEST(!mentions(test.strata.cli({"status"}).out, "secret"));
  BOOST_TEST(!mentions(test.strata.http("GET", "/v1/actors").body, "secret"));
  BOOST_TEST(!mentions(test.strata.log(), "secret"));
}

BOOST_AUTO_TEST_CASE(a_source_with_minimal_wal_is_refused_with_the_setting_to_change) {
  bad_input_fixture test;
  test.start();
  postgres_cluster minimal({.config = {"wal_level = minimal", "max_wal_senders = 0"}});
  minimal.start();
  test.check_refused(add("minimal", minimal.conninfo()), 1, {"wal_level"});
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_CASE(a_source_without_free_slots_is_refused_with_the_setting_to_change) {
  bad_input_fixture test;
  test.start();
  postgres_cluster full({.config = {"max_replication_slots = 1"}});
  full.start();
  full.execute("SELECT pg_create_physical_replication_slot('other')");
  test.check_refused(add("full", full.conninfo()), 1, {"slot"});
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_CASE(a_slot_that_was_dropped_comes_back_as_long_as_the_source_has_the_wal) {
  bad_input_fixture test;
  postgres_cluster source;
  source.start();
  test.start();
  test.strata.add_source("forgetful", source.conninfo());
  test.strata.stop();
  source.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
  source.execute("CREATE TABLE later AS SELECT 42 AS x");
  test.strata.start();
  test.strata.wait_until_readable("forgetful");
  test.strata.wait_for_lsn("forgetful", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));
  test.strata.ask({"branch", "create", "dev", "--from", "forgetful/main"});
  BOOST_TEST(branch_compute(test.strata, "forgetful/dev").value("SELECT x FROM later") == "42");
}

BOOST_AUTO_TEST_CASE(wal_that_the_source_has_removed_is_told_with_what_to_do_and_the_past_stays_readable) {
  bad_input_fixture test;
  postgres_cluster source({.config = {"max_wal_size = 32MB", "min_wal_size = 32MB", "wal_keep_size = 0"}});
  source.start();
  source.execute("CREATE TABLE old AS SELECT 41 AS x");
  test.start();
  test.strata.add_source("forgetful", source.conninfo());
  test.strata.stop();
  source.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
  run_wal_away(source);
  test.strata.start();
  wait_until("the missing WAL is noticed",
             [&] { return mentions(told(test.strata, "forgetful", "last_error"), "no longer has the WAL"); });
  BOOST_TEST(mentions(told(test.strata, "forgetful", "last_error"), "import it again"));
  BOOST_TEST(
      mentions(test.strata.cli({"status"}).out + test.strata.cli({"source", "list"}).err, "no longer has the WAL"));
  test.strata.ask({"branch", "create", "dev", "--from", "forgetful/main"});
  BOOST_TEST(branch_compute(test.strata, "forgetful/dev").value("SELECT x FROM old") == "41");
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_CASE(a_source_that_is_away_for_a_while_is_followed_again) {
  bad_input_fixture test;
  test.start();
  for (int i = 0; i < 2; ++i) {
    test.good.kill_all();
    wait_until("its absence is noticed", [&] { return told(test.strata, "good", "phase") != "streaming"; });
    BOOST_TEST(!told(test.strata, "good", "last_error").empty());
    test.good.start();
    test.check_that_good_is_served();
  }
  test.good.restart();
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_SUITE_END()
