#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "console/api_client.hpp"
#include "tests/quorum/bank.hpp"
#include "tests/support/quorum_cluster.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// As many safekeepers, three of which keep dev's WAL, and a bank on dev.
struct membership_fixture {
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
        std::to_string(more) + " more transfers", [&] { return books.acknowledged() >= before + more; }, 2min);
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

  [[nodiscard]] std::filesystem::path directory_of(int id) const {
    return cluster.strata().directory() / "safekeepers" / std::to_string(id);
  }
  /// Its own management API.
  [[nodiscard]] json safekeeper_api(int id, const std::string& method, const std::string& path) const {
    std::ifstream file(directory_of(id) / "safekeeper.json");
    const strata::console::api_client client(json::parse(file).at("http"));
    auto answer = method == "GET" ? client.get(path) : client.post(path, json::object());
    if (!answer) throw std::runtime_error(path + ": " + answer.error().detail);
    return *std::move(answer);
  }
  [[nodiscard]] json safekeeper_list() const { return cluster.strata().ask({"safekeeper", "list"}); }

  /// The process and its disk are gone for good.
  void lose_safekeeper(int id) {
    const pid_t process = cluster.safekeeper(id);
    const auto directory = directory_of(id);
    std::filesystem::rename(directory, directory.string() + ".lost");
    ::kill(process, SIGKILL);
    wait_until("it is gone", [&] { return ::kill(process, 0) != 0; });
    std::filesystem::remove_all(directory.string() + ".lost");
  }

  [[nodiscard]] std::filesystem::path timeline_on(int id) const {
    const json dev = cluster.strata().timeline("s", "dev");
    return directory_of(id) / "timelines" / dev.at("tenant_id").get<std::string>() /
           dev.at("timeline_id").get<std::string>();
  }
  void wait_until_lacking(int id) {
    wait_until("it is seen that it has not got the branch", [&] {
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
      BOOST_TEST(
          shown.find("can lose none: safekeeper " + std::to_string(lacking) + " has not got it") != std::string::npos,
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
            if (row.at("lag_bytes").get<std::uint64_t>() > 1u << 20) return false;
        return true;
      });
    }
    books.stop();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(membership, membership_fixture)

BOOST_AUTO_TEST_CASE(a_healthy_member_is_replaced_under_load) {
  const int from = members().front(), to = spare();
  books.start();
  wait_for_transfers(200);
  const json done = replace(from, to);
  BOOST_TEST(done.at("generation") == 3);
  BOOST_TEST_MESSAGE(done.at("steps").dump(1));
  wait_for_transfers(200);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u, "the change was felt by sessions");
  audit();

  BOOST_TEST(spare() == from);
  BOOST_TEST(configuration().at("new_members").is_null());
  BOOST_TEST(cluster.compute().at("state") == "running");
  BOOST_TEST(!std::filesystem::exists(directory_of(from) / "timelines" / done.at("tenant_id").get<std::string>() /
                                      done.at("timeline_id").get<std::string>()));
  BOOST_TEST(safekeeper_list().at("can_lose") == 1);
  // Once more: there is nothing left to do.
  BOOST_TEST(replace(from, to).at("generation") == 3);

  any_one_may_be_lost();
  lose_the_compute();
  audit();

  // And back to the one that has deleted it.
  books.start();
  wait_for_transfers(50);
  BOOST_TEST(replace(to, from).at("generation") == 5);
  wait_for_transfers(50);
  books.stop();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(a_lost_member_is_replaced) {
  const int from = members().back(), to = spare();
  books.start();
  wait_for_transfers(200);
  lose_safekeeper(from);
  wait_for_transfers(100);
  replace(from, to);
  wait_for_transfers(100);
  cluster.kill_compute();
  cluster.start_compute();
  wait_for_transfers(50);
  books.stop();
  audit();

  any_one_may_be_lost();
  lose_the_compute();
  audit();
}

// Empty, it would vote in terms in which it has voted.
BOOST_AUTO_TEST_CASE(a_member_whose_directory_was_emptied_has_no_voice_until_it_is_replaced) {
  const int from = members().back(), to = spare();
  books.start();
  wait_for_transfers(100);
  const pid_t before = cluster.safekeeper(from);
  lose_safekeeper(from);
  cluster.wait_for_new_safekeeper(from, before);
  wait_until_lacking(from);
  wait_for_transfers(100);
  commands_tell(from);
  lose_the_compute();
  wait_for_transfers(100);
  BOOST_TEST(!std::filesystem::exists(timeline_on(from)));

  replace(from, to);
  wait_until("all is well", [&] { return safekeeper_list().at("can_lose") == 1; });
  // And it is good enough to take somebody else's place.
  replace(members().front(), from);
  wait_for_transfers(100);
  books.stop();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(a_member_that_lost_only_the_timeline_has_no_voice_until_it_is_replaced) {
  const int from = members().front(), to = spare();
  books.start();
  wait_for_transfers(100);
  const pid_t before = cluster.safekeeper(from);
  cluster.signal_safekeeper(from, SIGSTOP);
  BOOST_REQUIRE(std::filesystem::remove_all(timeline_on(from)) > 0);
  cluster.signal_safekeeper(from, SIGKILL);
  cluster.wait_for_new_safekeeper(from, before);
  wait_until_lacking(from);
  // Neither the server nor the compute makes it anew.
  cluster.strata().kill();
  cluster.strata().start();
  lose_the_compute();
  wait_for_transfers(100);
  wait_until_lacking(from);
  commands_tell(from);
  wait_until("the compute's agent says it", [&] {
    return cluster.compute().at("detail").get<std::string>().find("strata safekeeper replace dev --from " +
                                                                  std::to_string(from)) != std::string::npos;
  });
  BOOST_TEST(!std::filesystem::exists(timeline_on(from)));
  replace(from, to);
  wait_until("the compute's agent has nothing to say", [&] { return cluster.compute().at("detail") == ""; });
  wait_for_transfers(50);
  books.stop();
  audit();
  any_one_may_be_lost();
}

BOOST_AUTO_TEST_CASE(without_a_compute_the_new_member_fetches_the_wal) {
  const int from = members().front(), to = spare();
  books.start();
  wait_for_transfers(200);
  books.stop();
  cluster.kill_compute();
  replace(from, to);
  const auto now = members();
  // What the new member has must do: of the two others one is gone.
  const int other = now.front() == to ? now.back() : now.front();
  cluster.signal_safekeeper(other, SIGSTOP);
  cluster.start_compute();
  audit();
  cluster.signal_safekeeper(other, SIGCONT);
}

BOOST_AUTO_TEST_CASE(wal_that_the_others_have_removed_is_not_needed) {
  const int from = members().front(), to = spare();
  sql_session session(cluster.conninfo());
  session.execute("CREATE TABLE filler AS SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 150000) i");
  const std::string path = cluster.strata().timeline_path("s", "dev");
  // Object storage and the pageserver have it, so the first segments go.
  wait_until("every member has removed WAL", [&] {
    cluster.strata().api("PUT", path + "/checkpoint");
    const auto now = members();
    return std::ranges::all_of(now, [&](int id) {
      const json timeline = safekeeper_api(id, "POST", path + "/checkpoint");
      return lsn_from(timeline.at("wal_begin_lsn").get<std::string>()) >
             lsn_from(timeline.at("timeline_start_lsn").get<std::string>());
    });
  });
  books.start();
  wait_for_transfers(100);
  replace(from, to);
  wait_for_transfers(100);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u);
  const json pulled = safekeeper_api(to, "GET", path);
  BOOST_TEST((lsn_from(pulled.at("local_start_lsn").get<std::string>()) >
              lsn_from(pulled.at("timeline_start_lsn").get<std::string>())));
  any_one_may_be_lost();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(changes_follow_each_other_quickly) {
  books.start();
  wait_for_transfers(50);
  for (int round = 0; round < 6; ++round) replace(members()[round % 3], spare());
  wait_for_transfers(50);
  BOOST_TEST(configuration().at("generation") == 13);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u);
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(it_goes_on_where_it_stood_or_back) {
  const auto before = members();
  const int from = before.front(), to = spare();
  // The new member stops after the change has begun: it can't be finished.
  const std::string path = cluster.strata().timeline_path("s", "dev") + "/safekeepers";
  json changing = configuration();
  const auto begin_by_hand = [&] {
    changing = configuration();
    json next = json::array();
    for (const json& each : changing.at("members"))
      if (each.at("id") != from) next.push_back(each);
    std::ifstream file(directory_of(to) / "safekeeper.json");
    const std::string wal = json::parse(file).at("wal");
    next.push_back({{"id", to}, {"host", "127.0.0.1"}, {"port", std::stoi(wal.substr(wal.rfind(':') + 1))}});
    cluster.strata().api("PUT", path,
                         {{"generation", changing.at("generation").get<int>() + 1},
                          {"members", changing.at("members")},
                          {"new_members", next}});
  };
  books.start();
  wait_for_transfers(50);
  begin_by_hand();
  const finished other = cluster.strata().cli(
      {"safekeeper", "replace", "dev", "--from", std::to_string(before.back()), "--to", std::to_string(to)});
  BOOST_TEST(other.exit_code == 4, other.err);
  cluster.strata().ask({"safekeeper", "replace", "dev", "--abandon"});
  BOOST_TEST(members() == before, boost::test_tools::per_element());
  BOOST_TEST(configuration().at("generation") == 3);
  wait_for_transfers(50);

  begin_by_hand();
  BOOST_TEST(replace(from, to).at("generation") == 5);
  wait_for_transfers(50);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u);
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(it_is_refused_without_a_majority) {
  const auto before = members();
  cluster.signal_safekeeper(before[0], SIGSTOP);
  cluster.signal_safekeeper(before[1], SIGSTOP);
  const finished refused = cluster.strata().cli(
      {"safekeeper", "replace", "dev", "--from", std::to_string(before[0]), "--to", std::to_string(spare())});
  BOOST_TEST(refused.exit_code == 6, refused.err);
  BOOST_TEST(configuration().at("generation") == 1);
  for (int i = 0; i < 2; ++i) cluster.signal_safekeeper(before[i], SIGCONT);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_spare_is_added_to_a_directory_of_three) {
  membership_fixture the("3");
  const auto before = the.members();
  the.books.start();
  the.cluster.strata().stop();
  the.cluster.strata().set_arguments({"--safekeepers", "4"});
  the.cluster.strata().start();
  BOOST_TEST(the.members() == before, boost::test_tools::per_element());
  BOOST_TEST(the.safekeeper_list().at("safekeepers").size() == 4u);
  the.replace(before.front(), the.spare());
  the.wait_for_transfers(50);
  the.books.stop();
  BOOST_TEST(the.books.uncertain() == 0u);
  the.audit();
}
