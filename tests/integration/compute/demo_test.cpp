// strata demo, and the first hour of a newcomer on it: typed into a shell, and looked at.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <regex>

#include "tests/support/process.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;

/// Lines in the order in which they must come, as regular expressions; others may stand between.
void check_shown(const std::string& what, const std::string& shown, const std::vector<std::string>& lines) {
  std::istringstream rest(shown);
  for (const auto& each : lines) {
    const std::regex wanted(each);
    std::string line;
    bool found = false;
    while (!found && std::getline(rest, line)) found = std::regex_search(line, wanted);
    BOOST_TEST(found, what << " does not show /" << each << "/ here:\n" << shown);
  }
}

struct demo_directory {
  [[nodiscard]] command demo(std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {strata_binary().string(), "demo"});
    return {.arguments = std::move(options), .environment = {{"TMPDIR", place.path().string()}}, .signal_at_death = 15};
  }
  [[nodiscard]] bool empty() const { return fs::is_empty(place.path()); }
  temp_dir place;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(integration_compute_demo, demo_directory)

BOOST_AUTO_TEST_CASE(the_first_hour_shows_what_it_promises_and_leaves_nothing) {
  process running(demo());
  wait_until("the demo is up", [&] { return running.err().find("Ctrl-C") != std::string::npos; });
  check_shown(
      "demo", running.out(),
      {R"(^demo with Postgres 1\d and 3 safekeepers  +[0-9.]+ ?s)", R"(^  main  10000 orders  psql 'postgresql://)",
       R"(^  dev   100 orders, a branch of main  psql 'postgresql://)", "^try in another terminal:"});
  std::smatch directory;
  const std::string shown = running.out();
  BOOST_TEST_REQUIRE(std::regex_search(shown, directory, std::regex("export STRATA_DIR='?([^'\n]+)")));
  const std::string typed =
      "export STRATA_DIR='" + directory[1].str() + "' PATH='" + strata_binary().parent_path().string() + "':$PATH\n";
  const auto type = [&](const std::string& line, const std::vector<std::string>& lines, int exit_code = 0) {
    const finished said = run({.arguments = {"/bin/sh", "-c", typed + line}});
    BOOST_TEST(said.exit_code == exit_code, line << ": " << said.out << said.err);
    check_shown(line, said.out + said.err, lines);
    return said.out;
  };

  type("strata psql main -- -c 'create table t as select generate_series(1, 100000) id'", {"^SELECT 100000"});
  type("strata branch create first",
       {R"(^created first from main@0/[0-9A-F]+ \(.*\)  +\d+ ms)", "^next: strata psql first"});
  type("strata psql first -- -c 'delete from t where id % 2 = 0'", {"^DELETE 50000"});
  type("strata branch tree", {R"(^main .*\d)", "dev", "first"});

  // The accident, and the way back.
  std::string before = type("date -u +%FT%T.%NZ", {});
  before.pop_back();
  type("strata psql main -- -c 'drop table t'", {"^DROP TABLE"});
  type("strata psql main@" + before + " -- -Atc 'select count(*) from t'", {"^100000$", "main@0/[0-9A-F]+"});
  type("strata recover table t@" + before + " main",
       {R"(^recovered public\.t   100,000 rows, .*B   [0-9.]+ ?m?s)", "^reading public.t of main@0/"});

  type("strata branch reset first --yes", {"^reset first to main@"});
  type("strata psql first -- -Atc 'select count(*) from t'", {"^100000$"});
  type("strata branch create ci-42 --expires 2h", {"^created ci-42 from main@", R"(^expires .*\(in 2h\))"});
  type("strata branch expire ci-42 7d", {R"(^ci-42 expires .*\(in 7d\))"});
  type("strata branch expire ci-42 never", {"^ci-42 does not expire"});
  type("strata branch delete ci-42 --yes", {"^deleted ci-42"});

  // A plug is pulled on purpose.
  type("strata status", {"computes .*running", "safekeepers .*tolerates 1 failure"});
  type("kill -9 $(cat \"$STRATA_DIR/safekeepers/2/server.lock\"); strata status",
       {"safekeepers .*tolerates no failure: safekeeper 2 is down"});
  type("strata psql main -- -Atc \"insert into orders select from orders where false; select 'commits go on'\"",
       {"commits go on"});
  type("strata brnach tree", {"branch"}, 2);

  running.signal(SIGINT);
  const finished ended = running.wait();
  BOOST_TEST(ended.exit_code == 0, ended.err);
  BOOST_TEST(empty());
}

BOOST_AUTO_TEST_CASE(a_demo_that_is_ended_while_it_starts_leaves_nothing) {
  for (const char* step : {"starting Postgres 15 on main", "starting Postgres 15 on dev"}) {
    process running(demo({"--pg-bin", "/usr/lib/postgresql/15/bin"}));
    wait_until(step, [&] { return running.err().find(step) != std::string::npos; });
    running.signal(SIGTERM);
    const finished ended = running.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
