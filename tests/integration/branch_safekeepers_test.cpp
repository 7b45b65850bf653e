#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "tests/support/contents.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// A branch with three safekeepers and a compute that writes it, as the pageserver sees it.
struct written_with_safekeepers {
  written_with_safekeepers() {
    source.start();
    BOOST_REQUIRE(source.run("pgbench", {"-i", "-s", "1", "-q"}).exit_code == 0);
    strata.start();
    strata.add_source("shop", source.conninfo());
    strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
    strata.ask({"branch", "create", "dev"});
    start_compute();
  }
  void start_compute() {
    compute = strata.ask({"compute", "start", "dev"});
    uri = compute.at("uri");
  }

  [[nodiscard]] json timeline() const { return strata.timeline("shop", "dev"); }
  [[nodiscard]] json receiver() const { return timeline().value("receiver", json::object()); }
  [[nodiscard]] std::string from() const { return receiver().value("from", ""); }
  [[nodiscard]] std::string phase() const { return receiver().value("phase", ""); }
  [[nodiscard]] core::lsn at(const std::string& field) const { return lsn_from(timeline().at(field)); }
  /// "safekeeper 2 at 127.0.0.1:4711"
  [[nodiscard]] pid_t followed() const {
    std::ifstream file(strata.directory() / "safekeepers" / from().substr(11, 1) / "safekeeper.json");
    return json::parse(file).at("pid");
  }
  void write() const {
    sql_session session(uri);
    session.execute("create table if not exists rows (n int)");
    session.execute("insert into rows select * from generate_series(1, 200)");
  }
  /// Until the branch has what was committed on the compute.
  void wait() const {
    const core::lsn wanted = before_page_header(lsn_from(sql_session(uri).value("select pg_current_wal_flush_lsn()")));
    wait_until(
        "the branch follows: " + timeline().dump(), [&] { return at("last_record_lsn") >= wanted; }, 60s);
  }
  void check_contents() const {
    const auto written = contents_of([&](const std::string& database) { return uri_of(database); });
    wait();
    strata.ask({"branch", "create", "copy", "--from", "dev"});
    const branch_compute copy(strata, "copy");
    std::string text;
    for (const auto& each :
         differences(written, contents_of([&](const std::string& database) { return copy.conninfo(database); })))
      text += "\n  " + each;
    BOOST_TEST(text.empty(), "a branch of the branch against its compute" << text);
  }
  [[nodiscard]] std::string uri_of(const std::string& database) const {
    std::string made = uri;
    const auto slash = made.find('/', made.find("//") + 2);
    const auto query = made.find('?', slash);
    return made.replace(slash + 1, query - slash - 1, database);
  }

  postgres_cluster source{{.config = {"wal_level = replica"}}};
  strata_server strata{{.arguments = {"--safekeepers", "3"}}};
  json compute;
  std::string uri;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(integration_branch_safekeepers, written_with_safekeepers)

BOOST_AUTO_TEST_CASE(a_safekeeper_that_falls_silent_or_ends_is_left_for_another) {
  write();
  wait();
  const std::string first = from();
  const pid_t silent = followed();
  ::kill(silent, SIGSTOP);
  write();
  wait_until(
      "another one is followed", [&] { return from() != first; }, 30s);
  wait();
  const pid_t ended = followed();
  ::kill(silent, SIGCONT);
  const std::string second = from();
  ::kill(ended, SIGKILL);
  write();
  wait_until(
      "another one is followed", [&] { return from() != second; }, 30s);
  wait();
  BOOST_TEST(receiver().at("reconnects").get<int>() >= 2);
  check_contents();
}

BOOST_AUTO_TEST_CASE(a_branch_goes_on_after_the_server_was_killed_and_its_safekeepers_were_not) {
  write();
  wait();
  strata.kill();
  write();
  strata.start();
  wait();
  check_contents();
}

BOOST_AUTO_TEST_CASE(a_branch_that_nobody_writes_rests_and_wakes) {
  write();
  wait();
  strata.ask({"compute", "stop", "dev"});
  const std::string checkpoint = strata.timeline_path("shop", "dev") + "/checkpoint";
  wait_until(
      "the branch rests",
      [&] {
        strata.api("PUT", checkpoint);
        return phase() == "idle";
      },
      60s);
  const core::lsn rested = at("last_record_lsn");
  BOOST_TEST((rested == at("disk_consistent_lsn")));
  BOOST_TEST((rested == lsn_from(receiver().at("head_lsn"))));
  start_compute();
  write();
  wait();
  BOOST_TEST((at("last_record_lsn") > rested));
  BOOST_TEST(phase() != "idle");
  check_contents();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
