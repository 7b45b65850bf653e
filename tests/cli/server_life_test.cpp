#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct server_directory {
  server_directory() : path((home / "server").string()) {}
  ~server_directory() { strata({"down"}); }
  finished strata(std::vector<std::string> words) const {
    words.insert(words.begin(), STRATA_BINARY);
    return run({.arguments = std::move(words), .environment = {{"STRATA_DIR", path}, {"NO_COLOR", "1"}}});
  }
  [[nodiscard]] json up() const {
    const finished said = strata({"up", "--detach", "--json"});
    BOOST_TEST_REQUIRE(said.exit_code == 0, said.err);
    return json::parse(said.out);
  }
  temp_dir home;
  std::string path;
};

BOOST_FIXTURE_TEST_SUITE(cli_server_life, server_directory)

BOOST_AUTO_TEST_CASE(a_detached_server_is_ready_when_up_returns_and_gone_when_down_does) {
  const json told = up();
  const json status = json::parse(strata({"status", "--json"}).out);
  BOOST_TEST(status["server"]["pid"] == told["pid"]);
  BOOST_TEST(status["http"] == told["http"]);
  BOOST_TEST(status["server"]["directory"] == path);
  const json file = json::parse(std::ifstream(path + "/server.json"));
  BOOST_TEST(file["pid"] == told["pid"]);
  BOOST_TEST(file["page"] == told["page"]);

  const finished down = strata({"down", "--json"});
  BOOST_TEST(down.exit_code == 0, down.err);
  BOOST_TEST(json::parse(down.out)["was_running"] == true);
  BOOST_TEST(!fs::exists(path + "/server.json"));
  BOOST_TEST(strata({"status"}).exit_code == 6);
  BOOST_TEST(fs::file_size(path + "/strata.log") > 0u);
}

BOOST_AUTO_TEST_CASE(a_second_server_on_a_directory_is_a_conflict_that_names_the_first) {
  const json told = up();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"up"}, {"up", "--detach"}}) {
    const finished second = strata(words);
    BOOST_TEST(second.exit_code == 4, second.err);
    BOOST_TEST(second.err.find("process " + std::to_string(told["pid"].get<int>())) != std::string::npos, second.err);
  }
  BOOST_TEST(strata({"status"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_killed_server_leaves_nothing_that_stops_the_next) {
  const json first = up();
  const int pid = first["pid"];
  ::kill(pid, SIGKILL);
  // Its lock goes with it; down sees nobody.
  while (::kill(pid, 0) == 0 && strata({"status"}).exit_code != 6) continue;
  BOOST_TEST(fs::exists(path + "/server.json"));
  const json second = up();
  BOOST_TEST(second["pid"] != first["pid"]);
  BOOST_TEST(strata({"status"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_taken_port_is_a_conflict) {
  const json told = up();
  const std::string http = told["http"];
  const finished other = run({.arguments = {STRATA_BINARY, "up", "--dir", (home / "other").string(), "--http-port",
                                            http.substr(http.rfind(':') + 1)}});
  BOOST_TEST(other.exit_code == 4, other.err);
  BOOST_TEST(other.err.find("has this port") != std::string::npos, other.err);
}

BOOST_AUTO_TEST_CASE(without_sources_commands_say_how_to_add_one) {
  BOOST_REQUIRE(up().contains("http"));
  const finished branches = strata({"branch", "list"});
  BOOST_TEST(branches.exit_code == 0);
  BOOST_TEST(branches.err.find("strata source add") != std::string::npos);
  BOOST_TEST(strata({"branch", "list", "--json"}).out == "[]\n");
  const finished create = strata({"branch", "create", "dev"});
  BOOST_TEST(create.exit_code == 3);
  BOOST_TEST(create.err.find("strata source add") != std::string::npos, create.err);
  const finished source = strata({"source", "add", "shop", "--conninfo", "host=127.0.0.1 port=1 user=x"});
  BOOST_TEST(source.exit_code == 6, source.err);
  BOOST_TEST(strata({"source", "add", "shop", "--conninfo", "this is no conninfo"}).exit_code == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
