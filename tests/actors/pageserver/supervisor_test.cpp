#include <boost/test/unit_test.hpp>

#include "actors/pageserver/supervisor.hpp"
#include "actors/runtime/outside.hpp"
#include "tests/actors/pageserver/pageserver_fixture.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using actors::runtime::ask_and_wait;

/// The whole role on real threads, with a real page service port.
struct role {
  role() {
    metadata = storage::metadata_store::open((directory / "metadata").string()).value();
    layers = std::make_unique<storage::layer_cache>(8u << 20, 64);
    process = std::make_unique<actors::runtime::process_system>();
    supervisor = actors::pageserver::spawn_supervisor(
        process->actors(), {.files = std::make_shared<actors::pageserver::tenant_files>(
                                *metadata, *layers, core::system_clock(), directory.path().string()),
                            .page_listener = io::listen_tcp("127.0.0.1", 0).value(),
                            .receiver =
                                [this](caf::actor_system& in, actors::pageserver::wal_receiver_options options) {
                                  return spawn_played_receiver(in, std::move(options), source);
                                },
                            .source_request =
                                [this](caf::actor_system& in, actors::runtime::actor_label label) {
                                  return spawn_played_request(in, std::move(label), source);
                                }});
    services = ask_and_wait(process->actors(), supervisor, messages::get_services{}, 30s).value();
  }
  temp_dir directory;
  std::unique_ptr<storage::metadata_store> metadata;
  std::unique_ptr<storage::layer_cache> layers;
  std::unique_ptr<actors::runtime::process_system> process;
  played_source source;
  messages::pageserver_supervisor_actor supervisor;
  messages::pageserver_services services;
};

std::vector<std::string> kinds(const messages::actor_list& actors) {
  std::vector<std::string> found;
  for (const auto& actor : actors.actors) found.push_back(actor.kind);
  return found;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_supervisor, role)

BOOST_AUTO_TEST_CASE(the_role_starts_serves_and_stops_in_order) {
  auto& system = process->actors();
  const auto added =
      ask_and_wait(system, services.tenants, messages::add_source{.name = "shop", .conninfo = "host=nowhere"}, 30s);
  BOOST_REQUIRE(added.has_value());
  const auto list = ask_and_wait(system, services.tenants, messages::list_timelines{added->tenant}, 30s);
  BOOST_REQUIRE(list.has_value());
  BOOST_TEST(list->timelines.size() == 1u);
  const auto running = kinds(ask_and_wait(system, services.introspector, messages::list_actors{}, 30s).value());
  for (const char* kind : {"pageserver.supervisor", "pageserver.tenant_manager", "pageserver.tenant",
                           "pageserver.timeline", "pageserver.flusher", "pageserver.compactor",
                           "pageserver.garbage_collector", "housekeeping", "introspector", "test.receiver"})
    BOOST_TEST((std::find(running.begin(), running.end(), kind) != running.end()), kind);
  source.receivers.clear();
  services = {};
  actors::runtime::stop_and_wait(system, supervisor);
  // A job ends behind its answer: on a busy machine it may still be on its way out.
  std::string left = "?";
  for (const auto limit = std::chrono::steady_clock::now() + 10s;
       !left.empty() && limit > std::chrono::steady_clock::now();) {
    left.clear();
    for (const auto& actor : process->env().registry().snapshot()) left += actor.kind + " " + actor.name + "; ";
  }
  BOOST_TEST(left == "");
}

BOOST_AUTO_TEST_CASE(a_child_that_ends_takes_the_role_down) {
  caf::scoped_actor self(process->actors());
  self->monitor(supervisor);
  caf::anon_send_exit(services.tenants, caf::exit_reason::kill);
  self->receive([](const caf::down_msg&) {});
  BOOST_TEST(!ask_and_wait(process->actors(), services.introspector, messages::list_actors{}, 30s).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
