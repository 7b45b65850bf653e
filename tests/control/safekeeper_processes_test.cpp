#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "control/safekeeper_processes.hpp"
#include "host/program.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using control::safekeeper_processes;
namespace fs = std::filesystem;

/// Does what the supervision knows of a safekeeper: holds the directory's lock and says when it is ready.
constexpr const char* stand_in = R"(
import fcntl, json, os, signal, sys
directory, id = sys.argv[1], int(sys.argv[2])
lock = open(directory + "/server.lock", "w")
fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.write(str(os.getpid()) + "\n")
lock.flush()
with open(directory + "/new", "w") as file:
    json.dump({"pid": os.getpid(), "id": id, "wal": "127.0.0.1:%d" % (7000 + id), "http": "127.0.0.1:%d" % (8000 + id),
               "version": "1", "started": "now"}, file)
os.rename(directory + "/new", directory + "/safekeeper.json")
signal.pause()
)";

struct cluster_directory {
  cluster_directory() {
    std::ofstream(script) << stand_in;
    std::ofstream(broken_script) << "import sys\nopen(sys.argv[1] + '/starts', 'a').write('x')\nsys.exit(3)\n";
  }
  ~cluster_directory() {
    BOOST_TEST(control::stop_safekeepers(directory, 30s).has_value());
    while (::waitpid(-1, nullptr, 0) > 0) continue;
  }

  safekeeper_processes processes() {
    return safekeeper_processes({.directory = directory,
                                 .command =
                                     [this](std::uint64_t id) {
                                       return std::vector<std::string>{
                                           "/usr/bin/python3", broken.contains(id) ? broken_script : script,
                                           control::safekeeper_directory(directory, id), std::to_string(id)};
                                     },
                                 .now = [this] { return std::chrono::steady_clock::now() + ahead; }});
  }
  [[nodiscard]] pid_t running(std::uint64_t id) const { return control::safekeeper_process(directory, id).value_or(0); }
  /// Another process than `before` has the directory.
  pid_t next_process(safekeeper_processes& of, std::uint64_t id, pid_t before) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < deadline) {
      of.look_after();
      if (const pid_t now = running(id); now > 0 && now != before) return now;
      std::this_thread::sleep_for(5ms);
    }
    return 0;
  }
  static void kill_and_wait(pid_t process) {
    ::kill(process, SIGKILL);
    BOOST_REQUIRE(host::wait_for_end(process, 10s));
  }
  [[nodiscard]] std::size_t starts(std::uint64_t id) const {
    std::error_code none;
    const auto size = fs::file_size(control::safekeeper_directory(directory, id) + "/starts", none);
    return none ? 0 : size;
  }

  temp_dir home;
  std::string directory = (home / "server").string();
  std::string script = (home / "safekeeper.py").string();
  std::string broken_script = (home / "broken.py").string();
  std::set<std::uint64_t> broken;
  std::chrono::milliseconds ahead{0};
};

/// Zombies count.
std::size_t children() {
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  return static_cast<std::size_t>(
      std::distance(std::istream_iterator<std::string>(file), std::istream_iterator<std::string>()));
}

BOOST_FIXTURE_TEST_SUITE(control_safekeeper_processes, cluster_directory)

BOOST_AUTO_TEST_CASE(all_are_ready_when_start_returns) {
  auto kept = processes();
  BOOST_REQUIRE(kept.start(3, 30s));
  const auto members = control::safekeeper_members(directory);
  BOOST_REQUIRE(members.size() == 3u);
  BOOST_TEST(members[2].id.value == 3u);
  BOOST_TEST(members[2].host == "127.0.0.1");
  BOOST_TEST(members[2].port == 7003);
  for (std::uint64_t id = 1; id <= 3; ++id) BOOST_TEST(running(id) > 0);
}

BOOST_AUTO_TEST_CASE(one_that_ended_is_started_again_after_a_pause) {
  auto kept = processes();
  BOOST_REQUIRE(kept.start(3, 30s));
  const pid_t first = running(2);
  const pid_t other = running(1);
  kill_and_wait(first);
  kept.look_after();
  kept.look_after();
  BOOST_TEST(running(2) == 0);  // the pause is not over
  ahead += 1s;
  BOOST_TEST(next_process(kept, 2, first) > 0);
  BOOST_TEST(running(1) == other);
}

BOOST_AUTO_TEST_CASE(the_next_server_adopts_what_runs_and_looks_after_it) {
  pid_t first = 0;
  {
    auto before = processes();
    BOOST_REQUIRE(before.start(2, 30s));
    first = running(1);
  }
  // Asked for none: the directory's are not forgotten.
  auto kept = processes();
  BOOST_REQUIRE(kept.start(0, 30s));
  BOOST_TEST(running(1) == first);
  kill_and_wait(first);
  kept.look_after();
  ahead += 1s;
  BOOST_TEST(next_process(kept, 1, first) > 0);
}

// It is another instance: nobody gives it the timelines that it has lost.
BOOST_AUTO_TEST_CASE(one_whose_directory_is_gone_begins_anew) {
  auto kept = processes();
  BOOST_REQUIRE(kept.start(3, 30s));
  const pid_t first = running(2);
  const fs::path there = control::safekeeper_directory(directory, 2);
  fs::remove_all(there);
  kill_and_wait(first);
  kept.look_after();
  ahead += 2s;
  BOOST_TEST(next_process(kept, 2, first) > 0);
}

BOOST_AUTO_TEST_CASE(one_that_can_not_run_does_not_hold_up_the_others_and_is_tried_ever_more_seldom) {
  broken.insert(3);
  auto kept = processes();
  BOOST_REQUIRE(kept.start(3, 30s));
  BOOST_TEST(starts(3) == 1u);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    const auto before = starts(3);
    ahead += pause - 1s;
    kept.look_after();
    BOOST_TEST(starts(3) == before);
    ahead += 1s;
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (starts(3) == before && std::chrono::steady_clock::now() < deadline) kept.look_after();
    BOOST_TEST(starts(3) == before + 1);
    // Its end is noticed before the clock goes on: the pause begins there.
    while (children() > 2 && std::chrono::steady_clock::now() < deadline) kept.look_after();
    BOOST_TEST(children() == 2u);
  }
}

BOOST_AUTO_TEST_CASE(without_a_majority_there_is_no_start_and_nothing_is_left_running) {
  broken = {1, 2};
  auto kept = processes();
  const auto started = kept.start(3, 30s);
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().detail.find("1, 2") != std::string::npos, started.error().detail);
  BOOST_TEST(running(3) == 0);
  BOOST_TEST(children() == 0u);
}

BOOST_AUTO_TEST_CASE(stopping_ends_all_of_them) {
  auto kept = processes();
  BOOST_REQUIRE(kept.start(3, 30s));
  BOOST_TEST(control::stop_safekeepers(directory, 30s).value() == 3u);
  for (std::uint64_t id = 1; id <= 3; ++id) BOOST_TEST(running(id) == 0);
  BOOST_TEST(control::stop_safekeepers(directory, 30s).value() == 0u);
  kept.look_after();
  BOOST_TEST(children() == 0u);
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_no_member) {
  auto kept = processes();
  BOOST_REQUIRE(kept.start(1, 30s));
  for (const char* text : {"{", "{}", R"({"pid":1,"id":1,"wal":"nowhere","http":"","version":"","started":""})"}) {
    std::ofstream(control::safekeeper_directory(directory, 1) + "/safekeeper.json", std::ios::trunc) << text;
    BOOST_TEST(control::safekeeper_members(directory).empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
