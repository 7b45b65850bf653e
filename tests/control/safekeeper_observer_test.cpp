#include "control/safekeeper_observer.hpp"

#include <httplib.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/safekeeper_json.hpp"
#include "control/safekeeper_file.hpp"
#include "control/server_file.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using consensus::safekeeper_state;
using nlohmann::json;

/// A safekeeper's HTTP API, played by this process.
class played_api {
 public:
  played_api() {
    const auto answer = [this](json played_api::*member) {
      return [this, member](const httplib::Request&, httplib::Response& to) {
        ++requests;
        const json& of = this->*member;
        to.set_content(of.is_string() ? of.get<std::string>() : of.dump(), "application/json");
      };
    };
    server_.Get("/v1/status", answer(&played_api::status));
    server_.Get("/v1/tenant/timeline", answer(&played_api::timelines));
    server_.Get("/v1/utilization", answer(&played_api::disk));
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~played_api() { stop(); }
  played_api(const played_api&) = delete;
  played_api& operator=(const played_api&) = delete;
  void stop() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  json status{{"id", 2}, {"pid", ::getpid()}};
  json timelines = json::array();
  json disk{{"free_bytes", 100}, {"reserve_bytes", 10}};
  std::atomic<int> requests = 0;

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

/// A server's directory with safekeeper 2, whose directory this process may hold.
struct observed_directory {
  observed_directory() { std::filesystem::create_directories(directory); }
  void publish(const std::string& http) const {
    const control::safekeeper_file file{.pid = ::getpid(),
                                        .id = 2,
                                        .wal = "127.0.0.1:1",
                                        .http = http,
                                        .version = "1",
                                        .started = "now",
                                        .instance = core::make_id<core::instance_id>(),
                                        .addresses = {"127.0.0.1:1"}};
    BOOST_REQUIRE(control::write_safekeeper_file(directory, file).has_value());
  }
  void run() { lock.emplace(std::move(control::directory_lock::take(directory)).value()); }
  [[nodiscard]] consensus::observed_safekeeper look() const {
    const auto seen = control::observe_safekeepers(server);
    BOOST_REQUIRE(seen.size() == 1u);
    return seen[0];
  }

  temp_dir home;
  std::string server = (home / "server").string();
  std::string directory = control::safekeeper_directory(server, 2);
  std::optional<control::directory_lock> lock;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control_safekeeper_observer, observed_directory)

BOOST_AUTO_TEST_CASE(one_that_answers_is_up) {
  played_api api;
  publish(api.address());
  run();
  const auto seen = look();
  BOOST_TEST((seen.status.state == safekeeper_state::up), seen.status.last_error);
  BOOST_TEST(seen.status.id.value == 2u);
  BOOST_TEST(seen.status.process == ::getpid());
  BOOST_TEST(seen.status.http_address == api.address());
  BOOST_TEST((seen.status.disk_full == false));
  BOOST_TEST((seen.status.timelines == 0u));
  api.disk["free_bytes"] = 10;
  BOOST_TEST((look().status.disk_full == true));
}

BOOST_AUTO_TEST_CASE(without_a_process_it_is_down) {
  BOOST_TEST((look().status.state == safekeeper_state::down));
  publish("127.0.0.1:1");
  const auto seen = look();
  BOOST_TEST((seen.status.state == safekeeper_state::down));
  BOOST_TEST(seen.status.last_error == "not running");
  BOOST_TEST(!seen.status.disk_full.has_value());
  std::ofstream(directory + "/safekeeper.json") << "{";
  BOOST_TEST(look().status.last_error.starts_with("not running: "));
}

BOOST_AUTO_TEST_CASE(before_it_has_published_its_addresses_it_is_starting) {
  run();
  BOOST_TEST((look().status.state == safekeeper_state::starting));
}

BOOST_AUTO_TEST_CASE(a_process_that_does_not_answer_is_unreachable) {
  publish("127.0.0.1:1");
  run();
  const auto seen = look();
  BOOST_TEST((seen.status.state == safekeeper_state::unreachable));
  BOOST_TEST(seen.status.last_error == "safekeeper 2 at 127.0.0.1:1 can't be reached");
  BOOST_TEST(!seen.status.timelines.has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_process_or_garbage_is_no_answer) {
  played_api api;
  publish(api.address());
  run();
  const json good = api.status;
  for (const json& bad : {json{{"id", 3}, {"pid", ::getpid()}}, json{{"id", 2}, {"pid", 1}}, json{{"id", "2"}},
                          json::array(), json(5), json("nonsense")}) {
    api.status = bad;
    const auto seen = look();
    BOOST_TEST((seen.status.state == safekeeper_state::unreachable), bad.dump());
    BOOST_TEST(!seen.status.disk_full.has_value());
  }
  api.status = good;
  for (const json& bad : {json::array({5}), json::array({json::object()}), json("nonsense")}) {
    api.timelines = bad;
    BOOST_TEST((look().status.state == safekeeper_state::unreachable), bad.dump());
  }
  api.timelines = json::array();
  for (const json& bad : {json::object(), json{{"free_bytes", "1"}, {"reserve_bytes", 1}}, json::array()}) {
    api.disk = bad;
    BOOST_TEST((look().status.state == safekeeper_state::unreachable), bad.dump());
  }
}

BOOST_AUTO_TEST_CASE(a_member_that_is_not_at_its_address_is_told_with_the_address) {
  played_api api;
  messages::wal_timeline_info timeline;
  timeline.state.tenant = core::make_id<core::tenant_id>();
  timeline.state.timeline = core::make_id<core::timeline_id>();
  timeline.state.members = {1, {{{2}, "127.0.0.1", 1}}, std::nullopt};
  timeline.condition = "active";
  api.timelines = json::array({api::to_json(timeline)});
  publish(api.address());
  run();
  const auto seen = look();
  BOOST_TEST((seen.status.state == safekeeper_state::up), seen.status.last_error);
  BOOST_REQUIRE(seen.copies.size() == 1u);
  BOOST_TEST((seen.copies[0].of.timeline == timeline.state.timeline));
  BOOST_TEST(seen.status.unreachable_at.contains("127.0.0.1:1"));
}

BOOST_AUTO_TEST_CASE(times_are_kept_over_all_looks) {
  core::manual_clock clock;
  control::safekeeper_observer observer(server, clock);
  {
    played_api api;
    publish(api.address());
    run();
    BOOST_TEST((observer.look()[0].status.since == clock.now()));
    clock.advance(std::chrono::seconds(5));
    BOOST_TEST((observer.look()[0].status.last_answer == clock.now()));
  }
  const auto answered = clock.now();
  clock.advance(std::chrono::seconds(5));
  const auto first = clock.now();
  BOOST_TEST((observer.look()[0].status.state == safekeeper_state::unreachable));
  clock.advance(std::chrono::seconds(5));
  const auto silent = observer.look()[0].status;
  BOOST_TEST((silent.state == safekeeper_state::unreachable));
  BOOST_TEST((silent.since == first));
  BOOST_TEST((silent.last_answer == answered));
}

BOOST_AUTO_TEST_CASE(many_callers_share_looks) {
  played_api api;
  publish(api.address());
  run();
  control::safekeeper_observer observer(server);
  std::vector<std::thread> callers;
  std::atomic<int> up = 0;
  for (int i = 0; i < 32; ++i)
    callers.emplace_back([&] { up += observer.look()[0].status.state == safekeeper_state::up ? 1 : 0; });
  for (auto& each : callers) each.join();
  BOOST_TEST(up == 32);
  BOOST_TEST(api.requests < 3 * 32);
}

BOOST_AUTO_TEST_CASE(a_directory_without_safekeepers_has_none) {
  std::filesystem::remove_all(directory);
  BOOST_TEST(control::observe_safekeepers(server).empty());
  BOOST_TEST(control::observe_safekeepers((home / "nowhere").string()).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
