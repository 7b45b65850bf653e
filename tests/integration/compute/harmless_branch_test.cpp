#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/support/other_host.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/sql_session.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// How long the branch is watched: as long as its armed twin needs to use all of its connections, several times over.
/// scripts/watch-branch asks for longer.
std::chrono::seconds watched_for() {
  const char* seconds = std::getenv("STRATA_WATCH_SECONDS");
  return std::chrono::seconds(seconds == nullptr ? 2 : std::atoi(seconds));
}

const std::vector<std::string> services{"subscription", "job", "foreign table", "dblink"};

/// What the server of a company has that talks to others. It does not do so itself: of its two workers that would, one
/// is not allowed, and the other has begun before it was told.
void add_connections(postgres_cluster& source, other_host& outside) {
  source.execute("create table rows (id bigint primary key)");
  source.execute("create extension dblink; create extension postgres_fdw; create extension pg_cron");
  source.execute("create server erp foreign data wrapper postgres_fdw options (host '" + outside.address() +
                 "', port '" + std::to_string(outside.port("foreign table")) + "')");
  source.execute("create user mapping for public server erp options (user 'reader', password 'secret')");
  source.execute("create foreign table orders (id bigint) server erp");
  source.execute("create subscription orders_in connection '" + outside.conninfo("subscription") +
                 "' publication orders with (connect = false, slot_name = 'orders_in')");
  source.execute("alter subscription orders_in enable");
  for (const char* when : {"@reboot", "* * * * *"})
    source.execute("insert into cron.job (schedule, command, nodename, nodeport) values ('" + std::string(when) +
                   "', 'select 1', '" + outside.address() + "', " + std::to_string(outside.port("job")) + ")");
  source.execute("select pg_create_logical_replication_slot('orders_out', 'pgoutput')");
}

BOOST_AUTO_TEST_SUITE(integration_compute_harmless_branch)

BOOST_AUTO_TEST_CASE(a_branch_of_a_connected_server_reaches_nobody_until_it_is_armed) {
  other_host outside;
  for (const auto& each : services) outside.port(each);
  postgres_cluster source{{.config = {"wal_level = logical", "shared_preload_libraries = 'pg_cron'",
                                      "max_logical_replication_workers = 0"}}};
  source.start();
  add_connections(source, outside);
  strata_server strata{{.arguments = {"--safekeepers", "1"}}};
  strata.start();
  strata.add_source("shop", source.conninfo());
  strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  strata.ask({"branch", "create", "dev"});
  // Its jobs of every minute have nothing to say here.
  source.stop();
  outside.watch();

  const auto reach = [&](const json& compute, const std::string& by) -> std::string {
    sql_session session(compute.at("uri"));
    try {
      session.execute(by == "dblink" ? "select dblink_connect('" + outside.conninfo(by) + "')" : "table orders");
    } catch (const std::runtime_error& refused) {
      return refused.what();
    }
    return "";
  };
  const json quiet = strata.ask({"compute", "start", "dev"});
  BOOST_TEST(quiet.at("held_back").at("subscriptions") == json{"postgres.orders_in"});
  BOOST_TEST(quiet.at("held_back").at("foreign_servers") == json{"postgres.erp"});
  BOOST_TEST(quiet.at("held_back").at("jobs") == json{"postgres"});
  sql_session session(quiet.at("uri"));
  BOOST_TEST(session.value("select count(*) from pg_subscription where subenabled") == "1");
  BOOST_TEST(session.value("select count(*) from cron.job where active") == "2");
  BOOST_TEST(session.value("select count(*) from pg_replication_slots where slot_type = 'logical'") == "0");
  const auto end = std::chrono::steady_clock::now() + watched_for();
  do {
    for (const char* by : {"dblink", "foreign table"}) {
      const std::string refused = reach(quiet, by);
      BOOST_TEST(refused.find("Permission denied") != std::string::npos, by << ": " << refused);
    }
    session.execute("select pg_sleep(0.1)");
  } while (std::chrono::steady_clock::now() < end);
  BOOST_TEST(outside.visits() == 0u);
  if (const auto seen = outside.packets()) BOOST_TEST(*seen == 0u);
  strata.ask({"compute", "stop", "dev"});

  const finished refused = strata.cli({"compute", "start", "dev", "--set", "shared_preload_libraries = 'pg_cron'"});
  BOOST_TEST(refused.exit_code == 2, refused.err);
  const json armed =
      strata.ask({"compute", "start", "dev", "--armed", "--set", "shared_preload_libraries = 'pg_cron'"});
  for (const char* by : {"dblink", "foreign table"}) BOOST_TEST(!reach(armed, by).empty(), by);
  for (const auto& each : services)
    wait_until("it reaches the service of its " + each, [&] { return outside.visits(each) > 0; });
  if (const auto seen = outside.packets()) BOOST_TEST(*seen >= services.size());
  // What an armed start brought is not carried over to one that is not.
  strata.ask({"compute", "stop", "dev"});
  const finished again = strata.cli({"compute", "start", "dev"});
  BOOST_TEST(again.exit_code == 2, again.err);
  BOOST_TEST(again.err.find("--armed") != std::string::npos, again.err);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
