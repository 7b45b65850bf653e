#include "control/scope.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/branches.hpp"
#include "control/cluster.hpp"
#include "control/failure.hpp"
#include "control/safekeeper_file.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;

struct kept_warnings final : control::reporter {
  void warn(const std::string& text) override { all.push_back(text); }
  std::vector<std::string> all;
};

/// The directory of a server whose kernel accepts connections and which never answers, as after kill -STOP.
struct hung_server {
  hung_server() {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    BOOST_REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), size) == 0);
    BOOST_REQUIRE(::listen(listener, 8) == 0);
    BOOST_REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    BOOST_REQUIRE(control::write_server_file(directory, {.pid = ::getpid(), .http = address}).has_value());
    lock.emplace(std::move(control::directory_lock::take(directory)).value());
  }
  ~hung_server() { ::close(listener); }
  hung_server(const hung_server&) = delete;
  hung_server& operator=(const hung_server&) = delete;

  temp_dir home;
  std::string directory = home.path().string();
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string address;
  std::optional<control::directory_lock> lock;
  std::string process = "the server (process " + std::to_string(::getpid()) + ") does not answer";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control_server_link, hung_server)

BOOST_AUTO_TEST_CASE(a_read_of_a_server_that_hangs_fails_after_seconds) {
  const auto begun = std::chrono::steady_clock::now();
  const control::server_link server({.directory = directory});
  const auto is_told = [&](const control::failure& e) {
    BOOST_TEST(e.why() == "the server at " + address + " did not answer within 5 s");
    BOOST_TEST(e.next() == "tail " + directory + "/strata.log; strata down --dir " + directory +
                               ", then strata up --dir " + directory + " --detach");
    return e.what() == process && e.code() == core::errc::timeout;
  };
  BOOST_CHECK_EXCEPTION(control::list_branches(server, ""), control::failure, is_told);
  BOOST_TEST((std::chrono::steady_clock::now() - begun < 20s));
}

BOOST_AUTO_TEST_CASE(safekeepers_are_listed_beside_a_server_that_hangs) {
  std::filesystem::create_directories(control::safekeeper_directory(directory, 1));
  const auto begun = std::chrono::steady_clock::now();
  kept_warnings said;
  const auto seen = control::look_at_cluster({.directory = directory, .report = &said});
  BOOST_TEST(seen.safekeepers.size() == 1u);
  BOOST_REQUIRE(said.all.size() == 1u);
  BOOST_TEST(said.all[0].starts_with(process + ": the server at " + address + " did not answer within 5 s;"),
             said.all[0]);
  BOOST_TEST((std::chrono::steady_clock::now() - begun < 20s));
}

BOOST_AUTO_TEST_CASE(a_server_that_can_not_be_reached_is_not_one_that_hangs) {
  ::close(std::exchange(listener, -1));
  const control::server_link server({.directory = directory});
  const auto answer = server.get("/v1/status");
  BOOST_REQUIRE(!answer);
  BOOST_TEST((answer.error().code == core::errc::unavailable));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
