#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/integration/redo_oracle_replay.hpp"
#include "tests/integration/redo_oracle_workload.hpp"
#include "tests/support/postgres_cluster.hpp"

BOOST_AUTO_TEST_SUITE(integration_redo_oracle)

namespace {

namespace st = strata::tests;

/// A stopped server's WAL, replayed by us over the pages from before.
struct outcome {
  st::oracle_report report;
  std::uint64_t pages_in_files = 0;
};

outcome replay_workload(bool data_checksums, std::vector<std::string> config) {
  config.insert(config.end(), {"wal_level = replica", "autovacuum = off", "checkpoint_timeout = 1d",
                               "max_wal_size = 20GB", "wal_keep_size = 20GB", "shared_buffers = 64MB"});
  st::postgres_cluster cluster({.data_checksums = data_checksums, .config = std::move(config)});
  st::page_store pages(cluster.data_directory());
  cluster.start();
  st::run_redo_workload(cluster);
  cluster.stop();
  outcome result;
  pages.replay(cluster.data_directory(), result.report);
  result.pages_in_files = pages.compare_with_files(cluster.data_directory(), result.report);
  BOOST_TEST_MESSAGE(result.report.table() << "  pages of files compared: " << result.pages_in_files);
  for (const std::string& difference : result.report.differences) BOOST_TEST_MESSAGE(difference);
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(redo_gives_the_page_that_postgres_logged_after_each_change) {
  const outcome got = replay_workload(false, {"wal_consistency_checking = all", "full_page_writes = off"});
  BOOST_TEST(got.report.difference_count == 0u);
  BOOST_TEST(got.pages_in_files > 3000u);
  BOOST_TEST(got.report.visibility_pages_compared > 100u);
  for (const auto& [name, counts] : got.report.by_record)
    if (counts.applied > 0 && !name.starts_with("XLOG"))
      BOOST_TEST(counts.compared == counts.applied, name << " was not always compared");
}

BOOST_AUTO_TEST_CASE(redo_gives_the_files_of_a_cluster_with_checksums_and_full_page_writes) {
  const outcome got = replay_workload(true, {"full_page_writes = on"});
  BOOST_TEST(got.report.difference_count == 0u);
  BOOST_TEST(got.pages_in_files > 3000u);
}

BOOST_AUTO_TEST_SUITE_END()
