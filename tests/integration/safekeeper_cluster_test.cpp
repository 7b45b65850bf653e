#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <map>

#include "tests/support/printing.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct safekeeper_cluster {
  safekeeper_cluster() { server.start(); }

  [[nodiscard]] json list() const { return server.ask({"safekeeper", "list"}); }
  /// Process ids by number; those that are down have none.
  [[nodiscard]] std::map<int, pid_t> processes() const {
    std::map<int, pid_t> found;
    for (const json all = list(); const json& each : all["safekeepers"])
      if (each["state"] == "up") found[each["id"]] = each["pid"];
    return found;
  }
  [[nodiscard]] std::map<int, std::string> addresses() const {
    std::map<int, std::string> found;
    for (const json all = list(); const json& each : all["safekeepers"]) found[each["id"]] = each["wal"];
    return found;
  }
  void wait_for_health(const std::string& text) const {
    wait_until(
        "the cluster says: " + text, [&] { return list()["health"] == text; }, 60s);
  }
  /// What the broker's actor says of its links.
  [[nodiscard]] std::string broker_links() const {
    for (const json all = server.ask({"actors"}); const json& each : all["actors"])
      if (each["kind"] == "broker.broker") return each["state"];
    return "";
  }
  void wait_until_all_are_linked() const {
    // Three processes, and the server itself.
    wait_until(
        "all have reached the broker", [&] { return broker_links() == "4 links"; }, 60s);
  }

  strata_server server{{.arguments = {"--safekeepers", "3"}}};
};

BOOST_FIXTURE_TEST_SUITE(integration_safekeeper_cluster, safekeeper_cluster)

BOOST_AUTO_TEST_CASE(up_returns_with_all_safekeepers_ready_and_linked) {
  BOOST_TEST(processes().size() == 3u);
  const json status = server.ask({"status"});
  BOOST_TEST(status["quorum"]["can_lose"] == 1);
  BOOST_TEST(status["quorum"]["health"] == "tolerates 1 failure");
  BOOST_TEST(status["broker"] != "");
  wait_until_all_are_linked();
  const finished text = server.cli({"status"});
  BOOST_TEST(text.out.find("tolerates 1 failure") != std::string::npos, text.out);
  BOOST_TEST(fs::status(server.directory() / "tls").permissions() == fs::perms::owner_all);
}

BOOST_AUTO_TEST_CASE(a_killed_safekeeper_comes_back_with_its_address) {
  const auto before = processes();
  const auto places = addresses();
  ::kill(before.at(2), SIGKILL);
  wait_until("it is back", [&] {
    const auto now = processes();
    return now.contains(2) && now.at(2) != before.at(2);
  });
  BOOST_TEST((addresses() == places));
  BOOST_TEST(processes().at(1) == before.at(1));
  wait_until_all_are_linked();
  BOOST_TEST(server.log().find("safekeeper 2 was ended by signal 9") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_may_still_fail_is_said) {
  const auto before = processes();
  ::kill(before.at(2), SIGSTOP);
  wait_for_health("tolerates no failure: safekeeper 2 does not answer");
  ::kill(before.at(3), SIGSTOP);
  wait_for_health("no quorum: commits wait (1 of 3 up)");
  ::kill(before.at(2), SIGCONT);
  ::kill(before.at(3), SIGCONT);
  wait_for_health("tolerates 1 failure");
  // Silent for longer than the broker waits, they were cut off; now they are back.
  wait_until_all_are_linked();
}

BOOST_AUTO_TEST_CASE(a_silent_safekeeper_is_unreachable_since_a_time) {
  const auto second = [&] { return json(server.api("GET", "/v1/cluster").at("safekeepers").at(1)); };
  const json before = second();
  BOOST_TEST(before.at("state") == "up");
  ::kill(processes().at(2), SIGSTOP);
  const json silent = second();
  BOOST_TEST(silent.at("state") == "unreachable");
  BOOST_TEST(silent.at("since") > before.at("last_answer"));
  BOOST_TEST(silent.at("last_answer") >= before.at("last_answer"));
  for (const char* unknown : {"disk_full", "timelines"}) BOOST_TEST(!silent.contains(unknown), unknown);
  // The command reads the route; without the server it asks, and knows of no time.
  BOOST_TEST(list()["safekeepers"][1]["since"] == silent.at("since"));
  server.kill();
  const json asked = list();
  BOOST_TEST(asked["safekeepers"][1]["state"] == "unreachable");
  BOOST_TEST(!asked["safekeepers"][1].contains("since"));
  BOOST_TEST(asked["health"] == "tolerates no failure: safekeeper 2 does not answer");
  ::kill(asked["safekeepers"][1]["pid"].get<pid_t>(), SIGCONT);
}

BOOST_AUTO_TEST_CASE(safekeepers_outlive_a_killed_server_and_the_next_one_adopts_them) {
  wait_until_all_are_linked();
  const auto before = processes();
  const std::string broker = server.ask({"status"})["broker"];
  server.kill();
  BOOST_TEST((processes() == before));
  // Without the flag: the directory knows its safekeepers.
  strata_server next({.directory = server.directory()});
  next.start();
  BOOST_TEST((processes() == before));
  BOOST_TEST(next.ask({"status"})["broker"] == broker);
  wait_until(
      "all have reached the new broker", [&] { return broker_links() == "4 links"; }, 60s);
  // Adopted ones are looked after like others.
  ::kill(before.at(1), SIGKILL);
  wait_until("it is back", [&] {
    const auto now = processes();
    return now.contains(1) && now.at(1) != before.at(1);
  });
}

BOOST_AUTO_TEST_CASE(down_ends_them_after_the_server) {
  BOOST_TEST(processes().size() == 3u);
  const json down = server.ask({"down"});
  BOOST_TEST(down["safekeepers_stopped"] == 3);
  BOOST_TEST(processes().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
