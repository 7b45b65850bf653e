#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/process.hpp"
#include "tests/support/sql_session.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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

BOOST_AUTO_TEST_CASE(the_demo_has_a_database_and_a_branch_and_leaves_nothing) {
  process running(demo({"--json"}));
  wait_until("the demo is up", [&] { return running.out().ends_with("}\n"); });
  const json shown = json::parse(running.out());
  const std::string orders = "select count(*) from orders";
  BOOST_TEST(sql_session(shown.at("main")).value(orders) == "10000");
  BOOST_TEST(sql_session(shown.at("dev")).value(orders) == "100");
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
