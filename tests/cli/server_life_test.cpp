#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/support/process.hpp"
#include "tests/support/small_disk.hpp"
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

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_by_up_and_by_a_rebuild) {
  const small_disk disk("96m");
  if (!disk.problem.empty()) {
    BOOST_TEST_MESSAGE("SKIPPED: no small disk can be mounted here: " << disk.problem);
    return;
  }
  path = disk.place() / "server";
  const json first = up();
  strata({"down"});
  const fs::path filler = disk.place() / "filler";
  std::ofstream file(filler, std::ios::binary);
  while (file.write(std::string(4096, 'x').data(), 4096).flush()) continue;
  file.close();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"up"}, {"up", "--detach"}, {"metadata", "rebuild", "--force"}}) {
    const finished said = strata(words);
    BOOST_TEST(said.exit_code == 1, said.err);
    BOOST_TEST(said.err.find("disk full: less than ") != std::string::npos, said.err);
    BOOST_TEST(said.err.find(" MiB left on the file system of " + path) != std::string::npos, said.err);
    BOOST_TEST(said.err.find("next:  free disk space there") != std::string::npos, said.err);
  }
  fs::remove(filler);
  BOOST_TEST(up()["http"] == first["http"]);
  strata({"down"});
}

BOOST_AUTO_TEST_CASE(a_taken_port_is_a_conflict) {
  const json told = up();
  const std::string http = told["http"];
  const finished other = run({.arguments = {STRATA_BINARY, "up", "--dir", (home / "other").string(), "--http-port",
                                            http.substr(http.rfind(':') + 1)}});
  BOOST_TEST(other.exit_code == 4, other.err);
  BOOST_TEST(other.err.find("has this port") != std::string::npos, other.err);
}

BOOST_AUTO_TEST_CASE(ports_are_chosen_once_and_kept) {
  const json first = up();
  strata({"down"});
  const json second = up();
  BOOST_TEST(second["http"] == first["http"]);
  BOOST_TEST(second["page"] == first["page"]);
  strata({"down"});

  // Another program has one of them for a while.
  const std::string http = first["http"];
  const auto port = static_cast<std::uint16_t>(std::stoi(http.substr(http.rfind(':') + 1)));
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_TEST_REQUIRE(::bind(other, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  BOOST_TEST_REQUIRE(::listen(other, 1) == 0);
  const json meanwhile = up();
  BOOST_TEST(meanwhile["http"] != first["http"]);
  BOOST_TEST(meanwhile["page"] == first["page"]);
  strata({"down"});
  ::close(other);
  BOOST_TEST(up()["http"] == first["http"]);
  strata({"down"});

  const finished anew = strata({"up", "--detach", "--json", "--http-port", "0"});
  BOOST_TEST_REQUIRE(anew.exit_code == 0, anew.err);
  const json moved = json::parse(anew.out);
  BOOST_TEST(moved["http"] != first["http"]);
  strata({"down"});
  BOOST_TEST(up()["http"] == moved["http"]);
  strata({"down"});

  for (const char* text : {"", "x\n", "70000\n", "0\n", "123", "20000\n\n"}) {
    std::ofstream(path + "/page.port") << text;
    const finished refused = strata({"up", "--detach"});
    BOOST_TEST(refused.exit_code == 1, refused.err);
    BOOST_TEST(refused.err.find(path + "/page.port") != std::string::npos, refused.err);
  }
}

BOOST_AUTO_TEST_CASE(on_ipv6_all_ports_are_reached_in_brackets) {
  const std::string interfaces{std::istreambuf_iterator<char>(std::ifstream("/proc/net/if_inet6").rdbuf()), {}};
  if (interfaces.find("00000000000000000000000000000001") == std::string::npos) {
    BOOST_TEST_MESSAGE("SKIPPED: this machine has no ::1");
    return;
  }
  const finished said = strata({"up", "--detach", "--json", "--listen", "::1", "--safekeepers", "1"});
  BOOST_TEST_REQUIRE(said.exit_code == 0, said.err);
  const json told = json::parse(said.out);
  for (const char* port : {"http", "page", "broker"})
    BOOST_TEST(told[port].get<std::string>().starts_with("[::1]:"), told.dump());
  const finished status = strata({"status", "--json"});
  BOOST_TEST_REQUIRE(status.exit_code == 0, status.err);
  BOOST_TEST(json::parse(status.out)["server"]["pid"] == told["pid"]);
  BOOST_TEST(strata({"branch", "list"}).exit_code == 0);
  BOOST_TEST(strata({"down"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_damaged_server_file_is_named) {
  BOOST_REQUIRE(up().contains("http"));
  for (const char* text : {"", "{", "{}", "[1]", R"({"pid": "x"})"}) {
    std::ofstream(path + "/server.json") << text;
    const finished said = strata({"status"});
    BOOST_TEST(said.exit_code == 1, said.err);
    BOOST_TEST(said.err.find(path + "/server.json") != std::string::npos, said.err);
  }
}

BOOST_AUTO_TEST_CASE(output_that_can_not_be_written_is_a_failure_that_tells_what_was_done) {
  const auto into_full = [&](const std::string& words) {
    return run({.arguments = {"/bin/sh", "-c", "exec \"$0\" " + words + " >/dev/full", STRATA_BINARY},
                .environment = {{"STRATA_DIR", path}, {"NO_COLOR", "1"}}});
  };
  const finished started = into_full("up --detach");
  BOOST_TEST(started.exit_code == 1, started.err);
  BOOST_TEST(started.err.find("the server keeps running") != std::string::npos, started.err);
  BOOST_TEST(strata({"status"}).exit_code == 0);
  for (const char* words : {"status", "status --json", "actors", "branch list --json", "source list --json"}) {
    const finished said = into_full(words);
    BOOST_TEST(said.exit_code == 1, words << ": " << said.err);
    BOOST_TEST(said.err.find("No space left on device") != std::string::npos, said.err);
  }
  strata({"down"});
  BOOST_TEST(into_full("up").exit_code == 1);
  BOOST_TEST(strata({"status"}).exit_code == 6);
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
