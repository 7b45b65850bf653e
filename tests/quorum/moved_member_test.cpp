#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/quorum_cluster.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

/// Somebody who has a port and answers nothing.
class stranger {
 public:
  explicit stranger(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 && ::listen(fd_, 16) == 0);
  }
  ~stranger() { ::close(fd_); }

 private:
  int fd_;
};

struct moving {
  moving() {
    cluster.start_compute();
    sql_session(cluster.conninfo()).execute("CREATE TABLE t (i int)");
    insert();
    wait_for_health("tolerates 1 failure");
  }

  void insert() const { sql_session(cluster.conninfo()).execute("INSERT INTO t VALUES (1)"); }
  void wait_for_health(const std::string& text) const {
    std::string last;
    wait_until(
        "the cluster says: " + text,
        [&] {
          last = cluster.strata().ask({"safekeeper", "list"}).at("health");
          return last == text;
        },
        60s);
  }
  /// What its directory says of it.
  [[nodiscard]] json file_of(int id) const {
    return json::parse(std::ifstream(cluster.safekeeper_directory(id) / "safekeeper.json"));
  }
  [[nodiscard]] std::uint16_t port_of(int id) const {
    const std::string wal = file_of(id).at("wal");
    return static_cast<std::uint16_t>(std::stoi(wal.substr(wal.find(':') + 1)));
  }
  /// Kills it and keeps it from being started again until `meanwhile` is over, which gets its directory.
  pid_t while_it_is_away(int id, const std::function<void(const fs::path&)>& meanwhile) const {
    const pid_t before = cluster.safekeeper(id);
    const fs::path directory = cluster.safekeeper_directory(id);
    const fs::path away = directory.string() + ".away";
    fs::rename(directory, away);
    std::ofstream(directory) << "in the way";
    ::kill(before, SIGKILL);
    wait_until("it is gone", [&] { return ::kill(before, 0) != 0; });
    meanwhile(away);
    fs::remove(directory);
    fs::rename(away, directory);
    return before;
  }

  quorum_cluster cluster;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(quorum_moved_member, moving)

BOOST_AUTO_TEST_CASE(a_member_is_found_again_and_only_those_count_that_can_vote_and_write) {
  // Somebody takes the port of one: it takes another, and the running compute finds it there.
  const std::uint16_t port = port_of(2);
  std::optional<stranger> squatter;
  const pid_t before = while_it_is_away(2, [&](const fs::path&) { squatter.emplace(port); });
  cluster.wait_for_new_safekeeper(2, before);
  BOOST_TEST(port_of(2) != port);
  BOOST_TEST(file_of(2).at("addresses").size() == 2u);
  wait_for_health("tolerates 1 failure");
  cluster.signal_safekeeper(1, SIGSTOP);
  wait_for_health("tolerates no failure: safekeeper 1 does not answer");
  insert();
  // So does a new compute, which has the old addresses from the server.
  cluster.kill_compute();
  cluster.start_compute();
  insert();
  BOOST_TEST(sql_session(cluster.conninfo()).value("SELECT count(*) FROM t") == "3");
  cluster.signal_safekeeper(1, SIGCONT);
  wait_for_health("tolerates 1 failure");

  // A copy that can't be read counts for nothing.
  const json dev = cluster.strata().timeline("s", "dev");
  const pid_t whole = while_it_is_away(3, [&](const fs::path& directory) {
    const fs::path control = directory / "timelines" / dev.at("tenant_id").get<std::string>() /
                             dev.at("timeline_id").get<std::string>() / "control";
    std::fstream file(control, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(40);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(40);
    file.put(byte);
  });
  cluster.wait_for_new_safekeeper(3, whole);
  wait_for_health("tolerates no failure: safekeeper 3 has a broken copy");

  // One that does not know any more who it is does not start on what it kept.
  std::string identity;
  while_it_is_away(2, [&](const fs::path& directory) {
    std::ifstream file(directory / "safekeeper.json");
    identity.assign(std::istreambuf_iterator<char>(file), {});
    fs::remove(directory / "safekeeper.json");
  });
  wait_for_health("no quorum: commits wait (2 of 3 up; safekeeper 2 is down, safekeeper 3 has a broken copy)");
  const fs::path log = cluster.safekeeper_directory(2) / "safekeeper.log";
  wait_until("its log says why", [&] {
    std::ifstream file(log);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    return text.find("it contains WAL, but its safekeeper.json is missing") != std::string::npos;
  });
  BOOST_TEST(!fs::exists(cluster.safekeeper_directory(2) / "safekeeper.json"));
  std::ofstream(cluster.safekeeper_directory(2) / "safekeeper.json") << identity;
  wait_for_health("tolerates no failure: safekeeper 3 has a broken copy");
  insert();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
