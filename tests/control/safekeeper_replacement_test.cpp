#include "control/safekeeper_replacement.hpp"

#include <httplib.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/failure.hpp"
#include "control/safekeeper_file.hpp"
#include "control/server_file.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;

const std::string tenant(32, 'a');
const std::string dev(32, 'd');
const std::string main_branch(32, 'b');
const std::string dev_path = "/v1/tenant/" + tenant + "/timeline/" + dev;

/// A server with the branches main, which follows a source, and dev, and its four safekeepers, all played by one HTTP
/// server of this process. Safekeepers that are asked for their copy of dev have none.
struct played_cluster {
  played_cluster() {
    const auto answers = [this](const std::string& path, json content) {
      http.Get(path, [content](const httplib::Request&, httplib::Response& to) {
        to.set_content(content.dump(), "application/json");
      });
    };
    answers("/v1/tenant", json::array({{{"id", tenant}, {"name", "s"}, {"state", {{"slug", "Active"}}}}}));
    answers(
        "/v1/tenant/" + tenant + "/timeline",
        json::array({{{"timeline_id", main_branch}, {"name", "main"}, {"state", "Active"}, {"source", json::object()}},
                     {{"timeline_id", dev}, {"name", "dev"}, {"state", "Active"}}}));
    http.Get(dev_path + "/safekeepers", [this](const httplib::Request&, httplib::Response& to) {
      json members = json::array();
      for (const int id : {1, 2, 3}) members.push_back({{"id", id}, {"host", "127.0.0.1"}, {"port", 7000 + id}});
      to.set_content(
          json{{"generation", 3}, {"members", members}, {"new_members", nullptr}, {"former_members", former}}.dump(),
          "application/json");
    });
    http.Put(dev_path + "/membership", [this](const httplib::Request&, httplib::Response& to) {
      ++changes;
      to.set_content("{}", "application/json");
    });
    http.set_error_handler([](const httplib::Request&, httplib::Response& to) {
      to.set_content(R"({"error": {"code": "not_found", "message": "it is missing"}})", "application/json");
    });
    const std::string address = "127.0.0.1:" + std::to_string(http.bind_to_any_port("127.0.0.1"));
    thread = std::thread([this] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();
    BOOST_REQUIRE(control::write_server_file(directory, {.pid = ::getpid(), .http = address}).has_value());
    lock.emplace(std::move(control::directory_lock::take(directory)).value());
    for (const std::uint64_t id : {1, 2, 3, 4}) {
      const std::string of = control::safekeeper_directory(directory, id);
      std::filesystem::create_directories(of);
      const control::safekeeper_file file{.pid = ::getpid(),
                                          .id = id,
                                          .wal = "127.0.0.1:" + std::to_string(7000 + id),
                                          .http = address,
                                          .version = "1",
                                          .started = "now",
                                          .instance = core::make_id<core::instance_id>(),
                                          .addresses = {}};
      BOOST_REQUIRE(control::write_safekeeper_file(of, file).has_value());
    }
  }
  ~played_cluster() {
    http.stop();
    thread.join();
  }
  played_cluster(const played_cluster&) = delete;
  played_cluster& operator=(const played_cluster&) = delete;

  [[nodiscard]] control::replaced_safekeeper replace(const std::string& branch, std::uint64_t from,
                                                     std::uint64_t to) const {
    return control::replace_safekeeper({.directory = directory}, {.branch = branch, .from = from, .to = to},
                                       [](const std::string&) {});
  }
  [[nodiscard]] control::failure refusal(const std::string& branch, std::uint64_t from, std::uint64_t to) const {
    try {
      static_cast<void>(replace(branch, from, to));
    } catch (const control::failure& e) {
      BOOST_TEST(changes == 0);
      return e;
    }
    BOOST_FAIL("the replacement of " << from << " by " << to << " was not refused");
    throw std::logic_error("unreachable");
  }

  json former = json::array();
  std::atomic<int> changes = 0;  ///< configurations that safekeepers were asked to install
  temp_dir home;
  std::string directory = home.path().string();
  httplib::Server http;
  std::thread thread;
  std::optional<control::directory_lock> lock;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control_safekeeper_replacement, played_cluster)

BOOST_AUTO_TEST_CASE(a_safekeeper_that_never_was_a_member_can_not_be_replaced) {
  for (const std::uint64_t never : {4, 9}) {
    const auto refused = refusal("dev", never, 1);
    BOOST_TEST(refused.what() == "can't replace safekeeper " + std::to_string(never) + " of dev");
    BOOST_TEST(refused.why() ==
               "safekeeper " + std::to_string(never) + " is not a member of the branch; its safekeepers are 1, 2, 3");
    BOOST_TEST((refused.code() == core::errc::invalid_argument));
  }
}

BOOST_AUTO_TEST_CASE(the_replacement_of_a_former_member_is_repeated) {
  former = json::array({4});
  const auto done = replace("dev", 4, 1);
  BOOST_TEST(done.members.generation == 3u);
  BOOST_TEST(changes == 3);
  changes = 0;
  BOOST_TEST(refusal("dev", 9, 1).why().starts_with("safekeeper 9 is not a member"));
}

BOOST_AUTO_TEST_CASE(a_branch_that_follows_a_source_has_no_safekeepers_to_replace) {
  const auto refused = refusal("main", 1, 4);
  BOOST_TEST(refused.why() == "main follows a source: its WAL comes from there, and it has no safekeepers");
  BOOST_TEST(refused.next() == "strata branch create NAME --from main; a compute on that branch has safekeepers");
}

BOOST_AUTO_TEST_CASE(a_replacement_that_does_not_exist_is_named_with_a_step_that_is_possible) {
  const auto missing = refusal("dev", 1, 5);
  BOOST_TEST(missing.why() == "there is no safekeeper 5");
  BOOST_TEST(missing.next() == "strata down; strata up --detach --safekeepers 5");
  BOOST_TEST(refusal("dev", 1, 9).next() == "strata down; strata up --detach --safekeepers 9");
  for (const std::uint64_t id : {10, 12}) {
    const auto refused = refusal("dev", 1, id);
    BOOST_TEST(refused.why() == "there is no safekeeper " + std::to_string(id) + ": IDs are 1 to 9");
    BOOST_TEST(refused.next() == "strata safekeeper list");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
