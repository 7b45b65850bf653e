#include <filesystem>
#include <fstream>
#include <list>

#include "tests/quorum/membership_fixture.hpp"
#include "tests/support/chaos_proxy.hpp"
#include "tests/support/request_gates.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// The server's directory as a command sees it whose every request passes a gate: that of its server, and that of each
/// safekeeper, also for the safekeepers that are told of each other by the command.
class gated_directory {
 public:
  gated_directory(const fs::path& of, request_gates& gates) : gates_(gates) {
    for (const auto& entry : fs::directory_iterator(of)) {
      const auto name = entry.path().filename();
      if (name == "server.json")
        copy_gated(entry.path(), here_ / "server.json");
      else if (name != "safekeepers")
        fs::create_symlink(entry.path(), here_ / name.string());
    }
    for (const auto& entry : fs::directory_iterator(of / "safekeepers")) {
      if (!entry.is_directory()) continue;
      const fs::path to = here_.path() / "safekeepers" / entry.path().filename();
      fs::create_directories(to);
      copy_gated(entry.path() / "safekeeper.json", to / "safekeeper.json");
    }
  }
  [[nodiscard]] std::string path() const { return here_.path().string(); }

 private:
  void copy_gated(const fs::path& from, const fs::path& to) {
    std::ifstream file(from);
    json content = json::parse(file);
    const std::string address = content.at("http");
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    content["http"] = "127.0.0.1:" + std::to_string(gates_.stand_before(port));
    std::ofstream(to) << content;
  }

  request_gates& gates_;
  temp_dir here_;
};

struct killed_replacement : membership_fixture {
  request_gates gates;
  gated_directory gated{cluster.strata().directory(), gates};
  const std::string path = cluster.strata().timeline_path("s", "dev");

  [[nodiscard]] command gated_command(int from, int to) const {
    command what = cluster.strata().program(
        {"safekeeper", "replace", "dev", "--from", std::to_string(from), "--to", std::to_string(to)});
    what.environment.emplace_back("STRATA_DIR", gated.path());
    return what;
  }
  /// Runs the command until its request `number` is held, and kills it there. False: it was done before.
  bool kill_at(std::size_t number, request_gates::side where, int from, int to) {
    gates.hold(number, where);
    process running(gated_command(from, to));
    wait_until("the command is held or done", [&] { return gates.holds() || !running.running(); });
    const bool held = gates.holds();
    running.signal(SIGKILL);
    const finished ended = running.wait();
    gates.open();
    if (!held) BOOST_TEST(ended.exit_code == 0, ended.out << ended.err);
    return held;
  }

  [[nodiscard]] int generation() const { return configuration().at("generation"); }
  [[nodiscard]] json timeline_on(int id) const { return cluster.safekeeper_api(id, "GET", path); }
  [[nodiscard]] bool has_timeline(int id) const {
    try {
      return timeline_on(id).is_object();
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  /// Everybody is in the server's configuration, which is not joint; who is no member has nothing; who writes was
  /// elected by all of them, and nobody has voted for another one since. `fetched_late`: who is no member may have a
  /// copy that it was fetching when it was told to delete what it has: of a configuration in which it is none.
  void check_settled(bool fetched_late = false) {
    const json now = configuration();
    BOOST_TEST(now.at("new_members").is_null());
    const auto ids = members();
    BOOST_TEST(ids.size() == 3u);
    for (const int id : ids) {
      const json its = timeline_on(id).at("mconf");
      BOOST_TEST(its.at("generation") == now.at("generation"));
      BOOST_TEST(its.at("members") == now.at("members"));
      BOOST_TEST(its.at("new_members").is_null());
    }
    const int other = spare();
    if (has_timeline(other)) {
      BOOST_TEST(fetched_late, "safekeeper " << other << " has a copy");
      for (const json its = timeline_on(other).at("mconf"); const json& each : its.at("members"))
        BOOST_TEST(each.at("id") != other);
    }
    wait_for_transfers(10);
    wait_until("all members are in the term of the compute", [&] {
      const json compute = cluster.compute();
      return compute.at("state") == "running" && std::ranges::all_of(ids, [&](int id) {
               const json acceptor = timeline_on(id).at("acceptor_state");
               return acceptor.at("term") == compute.at("term") && acceptor.at("last_log_term") == compute.at("term");
             });
    });
  }

  /// Killed at its first request, at its second, and so on to the last one; each time the same command ends it.
  void kill_everywhere_and_repeat(request_gates::side where) {
    books.start();
    wait_for_transfers(50);
    std::size_t number = 0;
    for (bool held = true; held; ++number) {
      const int before = generation(), from = members().front(), to = spare();
      held = kill_at(number, where, from, to);
      BOOST_TEST_CONTEXT("request " << number << ", after the kill at generation " << generation() - before) {
        BOOST_TEST(replace(from, to).at("generation") == before + 2);
        BOOST_TEST(spare() == from);
        check_settled();
      }
    }
    BOOST_TEST_MESSAGE("killed at " << number - 1 << " requests");
    BOOST_TEST(number > 15u);
    books.stop();
    BOOST_TEST(books.uncertain() == 0u, "a kill was felt by sessions");
    lose_the_compute();
    audit();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(quorum_replacement_kill, killed_replacement)

BOOST_AUTO_TEST_CASE(killed_before_any_of_its_requests_the_command_goes_on_when_it_is_repeated) {
  kill_everywhere_and_repeat(request_gates::side::before);
}

BOOST_AUTO_TEST_CASE(killed_after_any_of_its_requests_the_command_goes_on_when_it_is_repeated) {
  kill_everywhere_and_repeat(request_gates::side::after);
}

BOOST_AUTO_TEST_CASE(killed_anywhere_it_can_be_abandoned) {
  books.start();
  wait_for_transfers(50);
  std::size_t number = 0;
  for (bool held = true; held; ++number) {
    const int before = generation(), from = members().front(), to = spare();
    held = kill_at(number, request_gates::side::after, from, to);
    const int at_kill = generation();
    BOOST_TEST_CONTEXT("request " << number << ", after the kill at generation " << at_kill - before) {
      const json back = cluster.strata().ask({"safekeeper", "replace", "dev", "--abandon"});
      // What had ended stays so; there is no way back from it but another replacement.
      BOOST_TEST(back.at("generation") == (at_kill == before ? before : before + 2));
      BOOST_TEST(spare() == (at_kill == before + 2 ? from : to));
      check_settled(true);
    }
  }
  BOOST_TEST(number > 15u);
  books.stop();
  BOOST_TEST(books.uncertain() == 0u, "a kill was felt by sessions");
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_CASE(repeated_while_the_new_member_still_fetches_it_waits_for_that) {
  const int from = members().front(), to = spare();
  // To the new member the others name a place for their WAL that accepts connections and says nothing.
  std::list<chaos_proxy> silent;
  for (const json now = configuration(); const json& each : now.at("members")) {
    const int port = each.at("port");
    silent.emplace_back(static_cast<std::uint16_t>(port)).cut();
    gates.rewrite("127.0.0.1:" + std::to_string(port), "127.0.0.1:" + std::to_string(silent.back().port()));
  }
  process first(gated_command(from, to));
  wait_until("the new member fetches WAL",
             [&] { return !first.running() || (has_timeline(to) && timeline_on(to).at("recovering_from") != ""); });
  first.signal(SIGKILL);
  first.wait();
  const std::string donor = timeline_on(to).at("recovering_from");
  BOOST_TEST(!donor.empty());
  BOOST_TEST(generation() == 1);
  // The safekeeper gives up by itself, later: until then it takes no second request.
  books.start();
  BOOST_TEST(replace(from, to).at("generation") == 3);
  BOOST_TEST(spare() == from);
  check_settled();
  books.stop();
  lose_the_compute();
  audit();
}

BOOST_AUTO_TEST_SUITE_END()
