#include "actors/pageserver/maintenance/garbage_collector.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>
#include <filesystem>
#include <thread>

#include "actors/runtime/actor_registry.hpp"
#include "actors/runtime/system.hpp"
#include "messages/ask.hpp"
#include "storage/key_space.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/support/timeline_home.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::pageserver;
namespace runtime = actors::runtime;

/// A timeline whose only layer can't be opened until let_go(): the disk is slow.
struct slow_timeline {
  slow_timeline() {
    const core::lsn at(0x1000);
    BOOST_REQUIRE(home.store->import_value(storage::relation_page_key({1663, 5, 16384, pg::fork::main}, 0), at,
                                           core::bytes(pg::page_size, 1)));
    BOOST_REQUIRE(home.store->finish_import(at, at));
    const auto record = home.store->record();
    path = (home.directory / "layers").string() + "/" + storage::layer_file_name(home.store->layers().front());
    home.store.reset();
    BOOST_REQUIRE(std::filesystem::remove(path));
    BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    auto opened = storage::timeline_store::open({.metadata = home.metadata.get(),
                                                 .layers = home.layers.get(),
                                                 .clock = &home.clock,
                                                 .directory = (home.directory / "layers").string(),
                                                 .options = {}},
                                                record, nullptr);
    BOOST_REQUIRE(opened);
    home.store = *std::move(opened);
    BOOST_REQUIRE(home.store->layers().size() == 1u);
    BOOST_REQUIRE(home.store->damaged_layers().empty());
  }
  void let_go() {
    // Until it is open for reading, too.
    for (int tries = 0; tries < 500; ++tries) {
      const int fd = ::open(path.c_str(), O_WRONLY | O_NONBLOCK);
      if (fd >= 0) ::close(fd);
      if (!home.store->damaged_layers().empty()) return;
      std::this_thread::sleep_for(10ms);
    }
  }
  timeline_home home;
  std::string path;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(actors_pageserver_garbage_collector)

BOOST_AUTO_TEST_CASE(checks_of_layers_leave_a_thread_for_flushes) {
  slow_timeline slow[2];
  slow_timeline quick;
  runtime::process_system process;
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto permits = std::make_shared<work_permits>(1);
  const auto collector_of = [&](const slow_timeline& of) {
    return spawn_garbage_collector(
        process.actors(), {.label = {"t", 0}, .store = of.home.store, .permits = permits, .cancelled = cancelled});
  };
  std::vector<garbage_collector_actor> collectors;
  std::vector<caf::actor> asked;
  for (auto& each : slow) {
    collectors.push_back(collector_of(each));
    asked.push_back(messages::ask_later(process.actors(), collectors.back(), check_layers{}, caf::infinite,
                                        [](const core::result<void>&) {}));
  }
  // The threads of the pool are taken as far as the checks take them: each check is in a handler, or has ended one
  // without a permit.
  const auto begun = [&] {
    const auto actors = process.env().registry().snapshot();
    return std::ranges::count_if(actors, [](const messages::actor_info& each) {
      return each.kind == "pageserver.garbage_collector" && (each.state == "running" || each.handled > 0);
    });
  };
  wait_until("both checks have begun", [&] { return begun() == 2; });
  // Work of the kind that flushes are.
  const auto other = collector_of(quick);
  const auto planned = messages::ask_and_wait(process.actors(), other, plan_cutoff{}, 3000ms);
  BOOST_TEST(planned.has_value(), (planned ? "" : core::to_string(planned.error())));
  for (auto& each : slow) each.let_go();
  for (auto& each : slow) BOOST_TEST(each.home.store->damaged_layers().size() == 1u);
  collectors.push_back(other);
  for (const auto& each : collectors) caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
