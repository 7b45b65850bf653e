#include <boost/test/unit_test.hpp>

#include "tests/integration/history_workload.hpp"
#include "tests/support/contents.hpp"
#include "tests/support/page_comparison.hpp"
#include "tests/support/strata_server.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_busy_source)

namespace {

namespace core = strata::core;

connect_to connect(const postgres_cluster& cluster) {
  return [&](const std::string& database) { return cluster.conninfo(database); };
}

core::lsn head_of(postgres_cluster& source) { return lsn_from(source.value("SELECT pg_current_wal_insert_lsn()")); }

/// Nothing holds this source back: small buffers, so that files change all the time, autovacuum, frequent checkpoints.
std::vector<std::string> busy_config() {
  return {"max_prepared_transactions = 10",
          "shared_buffers = 8MB",
          "autovacuum_naptime = 1s",
          "autovacuum_vacuum_threshold = 10",
          "autovacuum_vacuum_scale_factor = 0.01",
          "autovacuum_vacuum_cost_delay = 0",
          "bgwriter_delay = 10ms",
          "checkpoint_timeout = 30s",
          "max_wal_size = 64MB",
          "wal_compression = pglz"};
}

}  // namespace

// The backup is read while its files change: pages are newer than the WAL from which replay begins, or torn, and files
// grow, shrink and vanish.
BOOST_AUTO_TEST_CASE(a_backup_taken_under_full_load_becomes_exact) {
  postgres_cluster source({.data_checksums = true, .config = busy_config()});
  source.start();
  history_load load(source);
  constexpr int unlimited = 1'000'000;
  load.start(unlimited);
  const core::lsn begin = head_of(source);
  wait_until("there is some load", [&] { return head_of(source) > begin + (8u << 20); });

  strata_server strata;
  strata.start();
  strata.add_source("s", source.conninfo());
  strata.set_options("s", {{"checkpoint_distance", "8 MiB"}, {"compaction_threshold", 3}, {"compaction_period", "1s"}});
  moment first = take_moment(connect(source));
  const cluster_contents then = first.snapshot->read();
  const core::lsn followed = head_of(source);
  wait_until("there is more load", [&] { return head_of(source) > followed + (48u << 20); });
  load.stop();

  strata.wait_for_lsn("s", first.at);
  strata.ask({"branch", "create", "first", "--from", "main@" + core::to_string(first.at)});
  {
    const branch_compute compute(strata, "first");
    const auto found =
        differences(then, contents_of([&](const std::string& database) { return compute.conninfo(database); }));
    for (const auto& difference : found) BOOST_ERROR(difference);
    const finished checked = compute.run("pg_amcheck", {"--all", "--heapallindexed", "--install-missing"});
    BOOST_TEST(checked.exit_code == 0, checked.out << checked.err);
  }

  source.stop();
  pagestream_client client(strata.page_port(), strata.tenant_id("s"), strata.timeline("s").at("timeline_id"));
  const comparison_report report =
      compare_with_files(source.data_directory(), client, strata.lsn_of("s", "last_record_lsn"));
  BOOST_TEST_MESSAGE(report.text());
  BOOST_TEST(report.difference_count == 0u, report.text());
  BOOST_TEST(report.pages > 5000u);
}

BOOST_AUTO_TEST_SUITE_END()
