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
  static constexpr const char* count = "select count(*) from rows";
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

  strata.ask({"compute", "stop", "dev"});
  strata.ask({"branch", "delete", "dev", "--force"});
  wait_until("its computes are gone", [&] { return strata.ask({"compute", "list"}).empty(); });
}

BOOST_AUTO_TEST_CASE(a_standby_of_a_branch_that_follows_a_source_follows_the_source) {
  source.execute("checkpoint");
  strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  const json standby = start_standby({"--pages", "copy"}, "main");
  BOOST_TEST(value(standby, count) == "500");
  source.execute("insert into rows select i, 'on the source' from generate_series(1, 1000) i");
  wait_for_value(standby, count, "1500");
  wait_for_no_lag(standby.at("name"));
  BOOST_TEST(now(standby.at("name")).at("standby").at("upstream") == "the source");
  source.execute("create table more as select * from rows");
  source.execute("vacuum full rows");
  wait_for_value(standby, "select count(*) from more", "1500");
  BOOST_TEST(value(standby, count) == "1500");

  // Replaying this would share the source's files.
  const fs::path space = source.work_directory() / "space";
  fs::create_directory(space);
  if (const auto owner = postgres_account()) BOOST_REQUIRE(::chown(space.c_str(), owner->user, owner->group) == 0);
  source.execute("create tablespace space location '" + space.string() + "'");
  source.execute("create table spacious tablespace space as select generate_series(1, 1000) i");
  // It begins again after locks that may belong to the last two records of running transactions.
  wait_until("it has the new table", [&] {
    source.execute("checkpoint");
    return try_value(standby, "select count(*) from spacious") == "1000";
  });
  const json seen = now(standby.at("name"));
  BOOST_TEST(seen.at("incarnations").get<int>() >= 2);
  for (const auto& each : fs::directory_iterator(seen.at("data_directory").get<std::string>() + "/pg_tblspc"))
    BOOST_TEST(fs::symlink_status(each).type() == fs::file_type::directory);
  BOOST_TEST(source.value("select count(*) from spacious") == "1000");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
