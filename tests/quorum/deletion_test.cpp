#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/support/quorum_cluster.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A branch dev with three safekeepers, and where they would have its WAL.
struct deletion_fixture {
  quorum_cluster cluster;
  json dev = cluster.strata().timeline("s", "dev");

  [[nodiscard]] std::string tenant() const { return dev.at("tenant_id"); }
  [[nodiscard]] std::string timeline() const { return dev.at("timeline_id"); }
  [[nodiscard]] bool has(int id) const {
    return fs::exists(cluster.strata().directory() / "safekeepers" / std::to_string(id) / "timelines" / tenant() /
                      timeline());
  }
  [[nodiscard]] bool has_deleted(int id) const {
    return fs::exists(cluster.strata().directory() / "safekeepers" / std::to_string(id) / "deleted" /
                      (tenant() + "-" + timeline()));
  }
  [[nodiscard]] json pending() const { return cluster.strata().api("GET", "/v1/status").at("pending_operations"); }
  [[nodiscard]] fs::path stored() const { return cluster.strata().directory() / "wal_backup" / tenant() / timeline(); }
  void write_something() {
    cluster.start_compute();
    sql_session(cluster.conninfo()).execute("CREATE TABLE t AS SELECT 1 AS i");
  }
  void wait_until_gone(int id) {
    wait_until("safekeeper " + std::to_string(id) + " has deleted the WAL",
               [&] { return !has(id) && has_deleted(id); });
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(quorum_deletion, deletion_fixture)

BOOST_AUTO_TEST_CASE(a_branch_is_given_to_who_is_there_and_to_others_when_they_are_back) {
  cluster.signal_safekeeper(3, SIGSTOP);
  write_something();
  BOOST_TEST(has(1));
  BOOST_TEST(has(2));
  BOOST_TEST(!has(3));
  BOOST_TEST(pending().at(0).at("what") == "create");
  // The server does not have to live for it.
  cluster.strata().kill();
  cluster.strata().start();
  cluster.signal_safekeeper(3, SIGCONT);
  wait_until("the third has it, too", [&] { return has(3); });
  wait_until("no operation is pending", [&] { return pending().empty(); });
  wait_until("one may be lost", [&] {
    const json all = cluster.strata().ask({"safekeeper", "list"});
    if (all.at("can_lose") != 1) return false;
    for (const json& row : all.at("timelines").at(0).at("safekeepers"))
      if (row.value("lag_bytes", ~std::uint64_t{0}) != 0) return false;
    return true;
  });
  cluster.signal_safekeeper(1, SIGSTOP);
  sql_session(cluster.conninfo()).execute("INSERT INTO t VALUES (2)");
}

BOOST_AUTO_TEST_CASE(the_wal_of_a_deleted_branch_goes_at_once_or_when_the_safekeeper_is_back) {
  write_something();
  sql_session(cluster.conninfo()).execute("SELECT pg_switch_wal(); CREATE TABLE u AS SELECT 1 AS i");
  for (int id = 1; id <= 3; ++id) BOOST_TEST(has(id));
  wait_until("a segment is in object storage", [&] { return fs::exists(stored()) && !fs::is_empty(stored()); });
  cluster.signal_safekeeper(3, SIGSTOP);
  // By the API: it knows of no computes, and this one ends by itself.
  cluster.strata().api("DELETE", "/v1/tenant/" + tenant() + "/timeline/" + timeline());
  wait_until_gone(1);
  wait_until_gone(2);
  BOOST_TEST(has(3));
  wait_until("its compute has stopped", [&] { return cluster.compute().at("state") == "stopped"; });
  BOOST_TEST(cluster.compute().at("detail").get<std::string>().find("the branch was deleted") != std::string::npos);
  BOOST_TEST(!cluster.compute().contains("agent_pid"));
  wait_until("status says what is left", [&] {
    const std::string shown = cluster.strata().cli({"status"}).out;
    return shown.find("delete the WAL of timeline " + timeline() + " on safekeeper 3 (") != std::string::npos;
  });
  cluster.strata().kill();
  cluster.strata().start();
  BOOST_TEST(has(3));
  cluster.signal_safekeeper(3, SIGCONT);
  wait_until_gone(3);
  wait_until("no operation is pending", [&] { return pending().empty(); });
  BOOST_TEST(!fs::exists(stored()));
  // The compute's name is free again, and so is the branch's.
  cluster.strata().ask({"compute", "stop", "dev", "--remove"});
  cluster.strata().ask({"branch", "create", "dev", "--from", "main"});
  cluster.start_compute();
  sql_session(cluster.conninfo()).execute("CREATE TABLE t AS SELECT 1 AS i");
}

BOOST_AUTO_TEST_CASE(a_removed_source_takes_the_wal_of_its_branches_along) {
  write_something();
  const finished refused = cluster.strata().cli({"source", "remove", "s", "--yes"});
  BOOST_TEST(refused.exit_code == 4, refused.err);
  BOOST_TEST(refused.err.find("dev (running)") != std::string::npos, refused.err);
  cluster.strata().ask({"source", "remove", "s", "--yes", "--force"});
  for (int id = 1; id <= 3; ++id) wait_until_gone(id);
  BOOST_TEST(cluster.strata().ask({"compute", "list"}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
