#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/integration/bad_input_fixture.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_followed_source)

namespace {

namespace fs = std::filesystem;

/// A source whose data directory is put aside and put back, and the server that follows it as "shop".
struct followed {
  explicit followed(std::vector<std::string> config = {}) : source({.config = std::move(config)}) {
    source.start();
    source.execute("CREATE TABLE t (x text)");
    work("A");
    strata.start();
  }
  void follow() {
    strata.add_source("shop", source.conninfo());
    wait_until_followed();
  }

  /// As many bytes of WAL whatever the letter.
  void work(const std::string& letter, int commits = 20) {
    for (int i = 0; i < commits; ++i) source.execute("INSERT INTO t VALUES (repeat('" + letter + "', 500))");
  }
  void wait_until_followed() {
    strata.wait_for_lsn("shop", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));
  }
  [[nodiscard]] fs::path aside(const std::string& name) const { return source.data_directory().string() + "." + name; }
  void copy_aside(const std::string& name) {
    source.stop();
    copy(source.data_directory(), aside(name));
    source.start();
  }
  /// The server that is there now goes to `away`, and starts from `name`.
  void put_back(const std::string& name, const std::string& away) {
    source.stop();
    fs::rename(source.data_directory(), aside(away));
    fs::rename(aside(name), source.data_directory());
  }
  void promote() {
    std::ofstream(source.data_directory() / "standby.signal");
    source.start();
    BOOST_TEST(source.value("SELECT pg_promote()") == "t");
  }
  static void copy(const fs::path& from, const fs::path& to) {
    const std::vector<std::string> arguments{"cp", "-a", from.string(), to.string()};
    const finished done = strata::tests::run({.arguments = arguments});
    BOOST_REQUIRE_MESSAGE(done.exit_code == 0, done.err);
  }

  /// One word of what is told about the connection.
  [[nodiscard]] std::string told(const char* what) const {
    return strata.timeline("shop").value("source", nlohmann::json::object()).value(what, "");
  }
  void check_refused(const std::vector<std::string>& said) {
    wait_until("the source is refused",
               [&] { return told("phase") == "failed" && mentions(told("last_error"), "not the same server"); });
    for (const auto& part : said) BOOST_TEST(mentions(told("last_error"), part), told("last_error"));
    BOOST_TEST(!mentions(told("last_error"), "impossible length"));
    BOOST_TEST(mentions(told("last_error"), "(refused at "), told("last_error"));
    BOOST_TEST(mentions(strata.cli({"source", "list"}).err, "not the same server"));
  }
  std::string letters(const std::string& branch) {
    strata.ask({"branch", "create", branch, "--from", "shop/main"});
    return branch_compute(strata, "shop/" + branch).value("SELECT string_agg(DISTINCT left(x, 1), '') FROM t");
  }

  postgres_cluster source;
  strata_server strata;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_put_back_from_a_snapshot_is_refused_until_the_right_one_is_back) {
  followed test;
  test.follow();
  test.copy_aside("snapshot");
  test.work("B");
  test.wait_until_followed();

  // With less WAL than was received, while it is followed.
  test.put_back("snapshot", "right");
  test.source.start();
  test.check_refused({"not the same server", "its WAL ends at"});

  // It passes the place, also under a Strata that was started anew.
  test.work("C", 40);
  test.strata.stop();
  test.strata.start();
  test.check_refused({"its WAL ends at"});
  const finished again = test.strata.cli({"source", "resume", "shop"});
  BOOST_TEST(again.exit_code == 1);
  BOOST_TEST(mentions(again.err, "is not the WAL that was received"), again.err);
  test.check_refused({"not the same server", "is not the WAL that was received"});
  BOOST_TEST(test.letters("meanwhile") == "AB");

  test.put_back("right", "wrong");
  test.source.start();
  test.work("D");
  test.check_refused({"is not the WAL that was received"});
  BOOST_TEST(test.strata.cli({"source", "resume", "shop"}).exit_code == 0);
  test.wait_until_followed();
  BOOST_TEST(test.letters("after") == "ABD");

  // The same again while nobody looks, without a moment at which it has less: only its bytes tell.
  test.copy_aside("snapshot");
  test.work("E", 5);
  test.wait_until_followed();
  test.strata.stop();
  test.put_back("snapshot", "right");
  test.source.start();
  test.work("F", 60);
  test.strata.start();
  test.check_refused({"is not the WAL that was received"});
}

BOOST_AUTO_TEST_CASE(a_promoted_server_is_followed_and_one_that_forked_before_is_refused_with_the_fork_point) {
  followed test;
  test.follow();

  // An idle server that stands at the start of a segment is no other one.
  test.source.execute("SELECT pg_switch_wal()");
  test.wait_until_followed();
  test.strata.stop();
  test.strata.start();
  wait_until("it is followed again", [&] { return test.told("phase") == "streaming"; });
  BOOST_TEST(test.told("last_error") == "");

  // Nobody waits at COMMIT for what is not durable here yet.
  test.source.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
  test.source.execute("SELECT pg_reload_conf()");
  wait_until("the list is in force", [&] { return test.source.value("SHOW synchronous_standby_names") == "*"; });
  BOOST_TEST(test.source.value("SELECT sync_state FROM pg_stat_replication") == "async");
  const finished refused = test.strata.cli({"source", "add", "other", "--conninfo", test.source.conninfo()});
  BOOST_TEST(refused.exit_code != 0);
  BOOST_TEST(mentions(refused.err, "synchronous_standby_names = '*'"), refused.err);
  BOOST_TEST(test.source.value("SELECT string_agg(slot_name, ',') FROM pg_replication_slots") == "strata_shop");
  test.source.execute("ALTER SYSTEM RESET synchronous_standby_names");
  test.source.execute("SELECT pg_reload_conf()");

  test.source.stop();
  test.promote();
  test.work("B");
  test.wait_until_followed();
  wait_until("it is followed", [&] { return test.told("phase") == "streaming"; });

  test.copy_aside("earlier");
  test.work("C");
  test.wait_until_followed();
  test.put_back("earlier", "right");
  test.promote();
  test.work("D", 40);
  test.check_refused({"its timeline 3 forked from timeline 2 at "});
  test.strata.kill();
  test.strata.start();
  test.check_refused({"its timeline 3 forked from timeline 2 at "});
  BOOST_TEST(test.letters("dev") == "ABC");
}

BOOST_AUTO_TEST_CASE(a_source_that_has_only_the_segment_of_our_position_is_compared_by_that) {
  followed test;
  test.follow();
  test.source.execute("SELECT pg_switch_wal()");
  test.work("B");
  test.wait_until_followed();
  test.copy_aside("snapshot");
  wait_until("it is followed again", [&] { return test.told("phase") == "streaming"; });
  test.work("C", 3);
  test.wait_until_followed();
  test.strata.stop();
  // As a promoted standby, which has no slot of ours, has removed the segment in which the trace begins.
  const auto forget = [&] {
    test.source.execute("SELECT pg_drop_replication_slot('strata_shop')");
    test.source.execute("CHECKPOINT");
    BOOST_TEST(test.source.value("SELECT count(*) FROM pg_ls_waldir() WHERE name <= (SELECT pg_walfile_name("
                                 "pg_current_wal_lsn())) AND name ~ '^[0-9A-F]{24}$'") == "1");
  };
  forget();
  test.work("D");
  test.strata.start();
  test.wait_until_followed();
  wait_until("it is followed", [&] { return test.told("phase") == "streaming"; });
  BOOST_TEST(test.letters("after") == "ABCD");

  test.strata.stop();
  test.put_back("snapshot", "right");
  test.source.start();
  test.work("E", 60);
  forget();
  test.strata.start();
  test.check_refused({"is not the WAL that was received"});
}

BOOST_AUTO_TEST_CASE(slots_of_others_are_left_alone_and_a_failed_backup_leaves_none) {
  followed test({"allow_in_place_tablespaces = on", "timezone = 'Europe/Berlin'"});
  postgres_cluster& source = test.source;
  const auto slots = [&] {
    return source.value("SELECT coalesce(string_agg(slot_name, ',' ORDER BY slot_name), '') FROM pg_replication_slots");
  };
  const auto add = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"source", "add"});
    more.insert(more.end(), {"--conninfo", source.conninfo("'two words'")});
    return test.strata.cli(more);
  };

  const finished nowhere = test.strata.cli({"source", "add", "shop", "--conninfo", source.conninfo("nodb")});
  BOOST_TEST(nowhere.exit_code == 3);
  BOOST_TEST(mentions(nowhere.err, "no database \"nodb\""), nowhere.err);
  BOOST_TEST(slots() == "");
  source.execute("CREATE DATABASE \"two words\"");
  source.execute("SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'secret'");
  const fs::path unreadable = source.data_directory() / "base/1/unreadable";
  std::ofstream(unreadable) << "x";
  fs::permissions(unreadable, fs::perms::none);
  const finished failed = add({"shop"});
  BOOST_TEST(failed.exit_code == 1);
  BOOST_TEST(mentions(failed.err, "Permission denied"), failed.err);
  BOOST_TEST(slots() == "");
  BOOST_TEST(test.strata.api("GET", "/v1/tenant").empty());
  fs::remove(unreadable);

  source.execute("CREATE TABLESPACE here LOCATION ''");
  source.execute("CREATE TABLE near TABLESPACE here AS SELECT 42 AS x");
  source.execute("SELECT pg_create_physical_replication_slot('mine')");
  const finished added = add({"shop", "--slot", "mine"});
  BOOST_TEST(added.exit_code == 0, added.err);
  BOOST_TEST(mentions(added.err, "timezone = 'Europe/Berlin'"), added.err);
  test.wait_until_followed();
  test.strata.ask({"branch", "create", "dev", "--from", "shop/main"});
  {
    const branch_compute dev(test.strata, "shop/dev");
    BOOST_TEST(dev.value("SELECT x FROM near") == "42");
    BOOST_TEST(mentions(test.strata.cli({"url", "shop/dev"}).out, "/two%20words?"));
    const finished by_password =
        dev.run("psql", {"host=127.0.0.1 user=old password=secret dbname=postgres", "-Atc", "SELECT current_user"});
    BOOST_TEST(by_password.out == "old\n", by_password.err);
  }

  const finished taken = add({"other", "--slot", "mine"});
  BOOST_TEST(taken.exit_code == 4);
  BOOST_TEST(mentions(taken.err, "--slot"), taken.err);
  source.execute("SELECT pg_create_physical_replication_slot('strata_other', true)");
  BOOST_TEST(add({"other"}).exit_code == 4);
  source.execute("SELECT pg_drop_replication_slot('strata_other')");
  test.wait_until_followed();
  BOOST_TEST(slots() == "mine");

  const finished removed = test.strata.cli({"source", "remove", "shop", "--yes"});
  BOOST_TEST(removed.exit_code == 0);
  BOOST_TEST(mentions(removed.err, "select pg_drop_replication_slot('mine')"), removed.err);
  BOOST_TEST(slots() == "mine");

  BOOST_TEST(add({"gone"}).exit_code == 0);
  source.stop();
  const finished unreachable = test.strata.cli({"source", "remove", "gone", "--yes"});
  BOOST_TEST(unreachable.exit_code == 0);
  BOOST_TEST(mentions(unreachable.err, "select pg_drop_replication_slot('strata_gone')"), unreachable.err);
  source.start();
  BOOST_TEST(slots() == "mine,strata_gone");
  test.strata.stop();
  test.strata.start();
  wait_until("the slot that was left is dropped", [&] { return slots() == "mine"; });
}

BOOST_AUTO_TEST_SUITE_END()
