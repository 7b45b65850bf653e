#pragma once

#include <signal.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/quorum/bank.hpp"
#include "tests/support/quorum_cluster.hpp"

namespace strata::tests {

/// As many safekeepers, three of which keep dev's WAL, and a bank on dev.
struct membership_fixture {
  using json = nlohmann::json;

  quorum_cluster cluster;
  bank books{[this] { return cluster.conninfo(); }, 4};

  explicit membership_fixture(const std::string& safekeepers = "4")
      : cluster({.up_arguments = {"--safekeepers", safekeepers}}) {
    cluster.start_compute();
    books.create();
  }

  [[nodiscard]] json configuration() const {
    return cluster.strata().api("GET", cluster.strata().timeline_path("s", "dev") + "/safekeepers");
  }
  [[nodiscard]] std::vector<int> members() const {
    std::vector<int> ids;
    for (const json now = configuration(); const json& each : now.at("members")) ids.push_back(each.at("id"));
    return ids;
  }
  [[nodiscard]] int spare() const {
    const auto now = members();
    for (int id = 1; id <= 4; ++id)
      if (std::ranges::find(now, id) == now.end()) return id;
    throw std::runtime_error("no safekeeper is spare");
  }
  json replace(int from, int to) {
    return cluster.strata().ask(
        {"safekeeper", "replace", "dev", "--from", std::to_string(from), "--to", std::to_string(to)});
  }

  void wait_for_transfers(std::uint64_t more) {
    const std::uint64_t before = books.acknowledged();
    wait_until(
        std::to_string(more) + " more transfers", [&] { return books.acknowledged() >= before + more; },
        std::chrono::minutes(2));
  }
  void audit() {
    for (const auto& wrong : books.audit()) BOOST_ERROR(wrong);
    BOOST_TEST_MESSAGE(books.acknowledged() << " transfers acknowledged, " << books.uncertain() << " uncertain");
  }
  /// A new compute has only what the quorum has.
  void lose_the_compute() {
    cluster.kill_compute();
    cluster.start_compute();
  }

  [[nodiscard]] json safekeeper_list() const { return cluster.strata().ask({"safekeeper", "list"}); }

  /// The process and its disk are gone for good.
  void lose_safekeeper(int id) {
    const pid_t process = cluster.safekeeper(id);
    const auto directory = cluster.safekeeper_directory(id);
    std::filesystem::rename(directory, directory.string() + ".lost");
    ::kill(process, SIGKILL);
    wait_until("it is gone", [&] { return ::kill(process, 0) != 0; });
    std::filesystem::remove_all(directory.string() + ".lost");
  }

  [[nodiscard]] std::filesystem::path timeline_on(int id) const {
    const json dev = cluster.strata().timeline("s", "dev");
    return cluster.safekeeper_directory(id) / "timelines" / dev.at("tenant_id").get<std::string>() /
           dev.at("timeline_id").get<std::string>();
  }
  void wait_until_lacking(int id) {
    wait_until("it is reported as missing the branch", [&] {
      const json all = safekeeper_list();
      return all.at("can_lose") == 0 && all.at("timelines").at(0).at("lacking") == json::array({id});
    });
  }
  /// The cause, and the cure.
  void commands_tell(int lacking) {
    const std::string cure = "dev --from " + std::to_string(lacking) + " --to ";
    for (const auto& words : {std::vector<std::string>{"status"}, {"safekeeper", "list"}}) {
      const std::string shown = cluster.strata().cli(words).out;
      BOOST_TEST(shown.find("strata safekeeper replace s/" + cure + std::to_string(spare())) != std::string::npos,
                 shown);
      BOOST_TEST(shown.find("tolerates no failure: safekeeper " + std::to_string(lacking) + " is missing the branch") !=
                     std::string::npos,
                 shown);
    }
  }

  /// With each of the members stopped in turn commits go on.
  void any_one_may_be_lost() {
    books.start();
    for (const int id : members()) {
      wait_for_transfers(50);
      cluster.signal_safekeeper(id, SIGSTOP);
      wait_for_transfers(100);
      cluster.signal_safekeeper(id, SIGCONT);
      // It has to be in the stream again before the next one goes.
      wait_until("the quorum can lose one", [&] {
        for (const json all = safekeeper_list(); const json& each : all.at("timelines"))
          for (const json& row : each.at("safekeepers"))
            if (row.value("lag_bytes", ~std::uint64_t{0}) > 1u << 20) return false;
        return true;
      });
    }
    books.stop();
  }
};

}  // namespace strata::tests
