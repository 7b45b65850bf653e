// Hot standbys of a branch (--standby).
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <filesystem>

#include "tests/integration/compute/branch_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

struct with_standbys : with_branch {
  using with_branch::with_branch;

  json start_standby(std::vector<std::string> more = {}, const std::string& branch = "dev") const {
    std::vector<std::string> words{"compute", "start", branch, "--standby"};
    words.insert(words.end(), more.begin(), more.end());
    return strata.ask(std::move(words));
  }
  /// A standby admits a query again at once, but may be between two incarnations.
  static std::string try_value(const json& compute, const std::string& sql) {
    try {
      return value(compute, sql);
    } catch (const std::runtime_error& e) {
      return e.what();
    }
  }
  static void wait_for_value(const json& compute, const std::string& sql, const std::string& wanted) {
    wait_until(
        sql + " is " + wanted, [&] { return try_value(compute, sql) == wanted; }, 30s);
  }
  void wait_for_incarnation(std::uint32_t count, const std::string& name) const {
    wait_until("incarnation " + std::to_string(count) + " runs", [&] {
      const json seen = now(name);
      return seen.at("incarnations") >= count && seen.at("state") == "running";
    });
  }
  void wait_for_no_lag(const std::string& name) const {
    wait_until("it has no lag", [&] { return now(name).at("standby").at("lag_bytes") == 0; });
  }
  [[nodiscard]] static bool contains(const fs::path& file, const std::string& what) {
    std::ifstream from(file);
    BOOST_TEST_REQUIRE(from.good(), file);
    return std::string{std::istreambuf_iterator<char>(from), {}}.find(what) != std::string::npos;
  }
  [[nodiscard]] bool has_logged(const std::string& name, const std::string& what) const {
    return contains(strata.directory() / "computes" / name / "agent.log", what);
  }
  static constexpr const char* count = "select count(*) from rows";
};

/// Followers need a password, which only the record of the source has.
struct with_password : with_standbys {
  with_password()
      : with_standbys([](postgres_cluster& from) {
          from.execute("create role follower superuser login password 'only in its record'");
          const fs::path rules = from.data_directory() / "pg_hba.conf";
          std::ifstream before(rules);
          const std::string others{std::istreambuf_iterator<char>(before), {}};
          std::ofstream(rules) << "local all,replication follower scram-sha-256\n"
                               << "host all,replication follower all scram-sha-256\n"
                               << others;
          from.execute("select pg_reload_conf()");
          return from.conninfo() + " user=follower password='only in its record'";
        }) {}

  void wait_until_gone(const std::string& segment) {
    wait_until("the source has removed its WAL", [&] {
      source.execute("checkpoint");
      return source.value("select min(name) > '" + segment + "' from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'") ==
             "t";
    });
  }
};

BOOST_FIXTURE_TEST_SUITE(integration_compute_standby_compute, with_standbys)

BOOST_AUTO_TEST_CASE(a_standby_shows_what_is_committed_and_nothing_else_and_takes_no_writes) {
  // Before anybody has written the branch it begins at the branch point.
  const json first = start_standby();
  BOOST_TEST(first.at("name") == "dev-standby");
  BOOST_TEST(first.at("mode") == "standby");
  BOOST_TEST(value(first, "select pg_is_in_recovery()") == "t");
  BOOST_TEST(value(first, count) == "500");
  BOOST_CHECK_THROW(execute(first, "insert into rows values (1, 'x')"), std::runtime_error);

  const json writer = start();
  sql_session open(writer.at("uri"));
  open.execute("begin");
  open.execute("insert into rows select i, 'open' from generate_series(1000, 3999) i");
  open.execute("savepoint s; insert into rows select i, 'sub' from generate_series(4000, 4999) i");
  execute(writer, "insert into rows values (1, 'committed')");
  // Logs the running transactions, and the next standby begins there.
  execute(writer, "checkpoint");
  execute(writer, "insert into rows values (2, 'committed')");
  wait_for_value(first, count, "502");

  const json second = start_standby({"--name", "second"});
  wait_for_value(second, count, "502");
  // A reader sets what it takes for aborted to aborted, for good.
  BOOST_TEST(value(second, "select count(*) from rows where filler = 'open'") == "0");
  execute(writer, "insert into rows select i, 'later' from generate_series(6000, 6999) i");
  wait_for_value(second, count, "1502");
  open.execute("commit");
  for (const json& each : {first, second}) {
    wait_for_value(each, count, "5502");
    BOOST_TEST(value(each, "select count(*) || ' ' || sum(id) from rows") ==
               value(writer, "select count(*) || ' ' || sum(id) from rows"));
  }
  wait_for_no_lag("second");
  const json seen = now("second");
  BOOST_TEST(seen.at("standby").at("upstream").get<std::string>().starts_with("safekeeper "));
  BOOST_TEST(strata.ask({"status"}).at("standbys").size() == 2u);

  // It can't be made a primary, whose writes would be lost.
  BOOST_CHECK_NO_THROW(try_value(second, "select pg_promote(false)"));
  wait_for_incarnation(2, "second");
  BOOST_TEST(value(second, "select pg_is_in_recovery()") == "t");
  wait_for_value(second, count, "5502");

  ::kill(postmaster_of(now("second")), SIGKILL);
  wait_for_incarnation(3, "second");
  execute(writer, "insert into rows values (3, 'committed')");
  wait_for_value(second, count, "5503");

  lose(now("second"));
  BOOST_TEST(now("second").at("standby").at("lag_bytes").is_null());
  const json again = start_standby({"--name", "second"});
  wait_for_value(again, count, "5503");

  // Another safekeeper continues where the lost one stopped, under the same Postgres.
  wait_for_no_lag("second");
  const std::string upstream = now("second").at("standby").at("upstream");
  const int lost = std::stoi(upstream.substr(upstream.rfind(' ') + 1));
  signal_safekeepers({lost}, SIGSTOP);
  execute(writer, "insert into rows values (4, 'committed')");
  wait_for_value(again, count, "5504");
  wait_until("another safekeeper is its upstream", [&] {
    const json now_seen = now("second").at("standby");
    return now_seen.at("upstream") != "" && now_seen.at("upstream") != upstream && now_seen.at("lag_bytes") == 0;
  });
  signal_safekeepers({lost}, SIGCONT);
  BOOST_TEST(now("second").at("incarnations") == 1);

  // Postgres would pause the replay of a writer that has more than the standby.
  strata.ask({"compute", "stop", "dev", "--remove"});
  const std::vector<std::pair<std::string, std::string>> larger{
      {"max_connections", "231"}, {"max_prepared_transactions", "17"}, {"max_locks_per_transaction", "99"}};
  std::vector<std::string> settings;
  for (const auto& [name, value] : larger) settings.insert(settings.end(), {"--set", name + " = " + value});
  const json larger_writer = start(settings);
  execute(larger_writer, "insert into rows values (5, 'committed')");
  wait_for_incarnation(2, "second");
  wait_for_value(again, count, "5505");
  const json third = start_standby({"--name", "third"});
  wait_for_value(third, count, "5505");
  BOOST_TEST(now("third").at("incarnations") == 1);
  for (const auto& [name, value] : larger)
    for (const json& each : {again, third}) BOOST_TEST(with_branch::value(each, "show " + name) == value, name);

  strata.ask({"compute", "stop", "dev"});
  strata.ask({"branch", "delete", "dev", "--yes", "--force"});
  wait_until("its computes are gone", [&] { return strata.ask({"compute", "list"}).empty(); });
}

BOOST_FIXTURE_TEST_CASE(a_standby_of_a_branch_that_follows_a_source_follows_the_source, with_password) {
  source.execute("checkpoint");
  strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  const json standby = start_standby({"--pages", "copy"}, "main");
  const std::string name = standby.at("name");
  BOOST_TEST(value(standby, count) == "500");
  source.execute("insert into rows select i, 'on the source' from generate_series(1, 1000) i");
  wait_for_value(standby, count, "1500");
  wait_for_no_lag(name);
  BOOST_TEST(now(name).at("standby").at("upstream") == "the source");
  // The password went past every file, and what it is asked for with is for one user.
  for (const char* file : {"compute.json", "compute-agent.json", "agent.log", "postgres.log"})
    BOOST_TEST(!contains(strata.directory() / "computes" / name / file, "only in its record"), file);
  BOOST_TEST(!contains(strata.directory() / "server.json", "only in its record"));
  BOOST_TEST((fs::status(strata.directory() / "server.json").permissions() ==
              (fs::perms::owner_read | fs::perms::owner_write)));
  source.execute("create table more as select * from rows");
  source.execute("vacuum full rows");
  wait_for_value(standby, "select count(*) from more", "1500");
  BOOST_TEST(value(standby, count) == "1500");

  // Replaying this as it is would share the source's files.
  const fs::path space = source.work_directory() / "space";
  fs::create_directory(space);
  if (const auto owner = postgres_account()) BOOST_REQUIRE(::chown(space.c_str(), owner->user, owner->group) == 0);
  source.execute("create tablespace space location '" + space.string() + "'");
  source.execute("create table spacious tablespace space as select generate_series(1, 1000) i");
  wait_for_value(standby, "select count(*) from spacious", "1000");
  const json seen = now(name);
  BOOST_TEST(seen.at("incarnations") == 1);
  const fs::path spaces = seen.at("data_directory").get<std::string>() + "/pg_tblspc";
  BOOST_TEST(std::distance(fs::directory_iterator(spaces), {}) == 1);
  for (const auto& each : fs::directory_iterator(spaces))
    BOOST_TEST(fs::symlink_status(each).type() == fs::file_type::directory);
  BOOST_TEST(source.value("select count(*) from spacious") == "1000");

  // It is stopped for longer than the source keeps its WAL, and more than what buffers hold.
  ::kill(agent_of(seen), SIGSTOP);
  const std::string needed = source.value("select pg_walfile_name(pg_current_wal_lsn())");
  source.execute("create table late as select generate_series(1, 1000) i");
  for (int segment = 0; segment < 4; ++segment) {
    source.execute("insert into late values (0)");
    source.execute("select pg_switch_wal()");
  }
  strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  strata.api("PUT", strata.timeline_path("shop") + "/checkpoint");
  wait_until_gone(needed);
  ::kill(agent_of(seen), SIGCONT);
  wait_for_value(standby, "select count(*) from late", "1004");
  BOOST_TEST(now(name).at("incarnations") == 2);
  BOOST_TEST(has_logged(name, "is gone from the source"));

  // A failover of the source.
  source.stop();
  std::ofstream(source.data_directory() / "standby.signal");
  source.start();
  BOOST_TEST(source.value("select pg_promote()") == "t");
  source.execute("insert into late values (0)");
  wait_for_value(standby, "select count(*) from late", "1005");
  BOOST_TEST(has_logged(name, "has switched to timeline 2"));
  source.execute("insert into late values (0)");
  wait_for_value(standby, "select count(*) from late", "1006");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
