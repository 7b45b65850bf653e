#include <boost/test/unit_test.hpp>

#include "pg/files/control_file.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/page_comparison.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/workload/wal_workload.hpp"

using namespace strata::tests;

namespace {

namespace pg = strata::pg;
namespace core = strata::core;

struct outcome {
  comparison_report newest;     ///< over page stream version 3
  comparison_report restarted;  ///< after a restart of strata, over version 2
};

void run_more(postgres_cluster& source) {
  BOOST_TEST(source.run("pgbench", {"-i", "-s", "2", "-q"}).exit_code == 0);
  BOOST_TEST(source.run("pgbench", {"-n", "-c", "4", "-t", "300"}).exit_code == 0);
  // 14 copies files and has no other way.
  const bool strategies = source.install().major >= 15;
  source.execute("CREATE DATABASE by_wal" + std::string(strategies ? " STRATEGY = wal_log" : ""));
  source.execute("CREATE DATABASE by_file" + std::string(strategies ? " STRATEGY = file_copy" : "") +
                 " TEMPLATE by_wal");
  source.execute("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 3000) i", "by_file");
  source.execute("CREATE INDEX ON t (i); DELETE FROM t WHERE i % 3 = 0", "by_file");
  source.execute("VACUUM t", "by_file");
  source.execute("CREATE UNLOGGED TABLE fleeting AS SELECT i FROM generate_series(1, 3000) i");
  source.execute("VACUUM FULL pg_class");
  source.execute("VACUUM FULL pg_database");
  source.execute("VACUUM");
  source.execute("CREATE DATABASE short_lived");
  source.execute("DROP DATABASE short_lived");
}

outcome compare_all_pages(const postgres_install& install, bool data_checksums, std::vector<std::string> config) {
  config.insert(config.end(), {"autovacuum = off", "max_prepared_transactions = 4", "shared_buffers = 64MB"});
  postgres_cluster source({.data_checksums = data_checksums, .config = std::move(config), .install = install});
  source.start();
  strata_server strata;
  strata.start();
  strata.add_source("s", source.conninfo());
  // Small layers, so that pages are put together from several files.
  strata.set_options("s", {{"checkpoint_distance", "4 MiB"}, {"compaction_threshold", 3}, {"compaction_period", "1s"}});
  run_wal_workload(source);
  run_more(source);
  const auto by_wal =
      static_cast<pg::oid>(std::stoul(source.value("SELECT oid FROM pg_database WHERE datname = 'by_wal'")));
  const auto by_file =
      static_cast<pg::oid>(std::stoul(source.value("SELECT oid FROM pg_database WHERE datname = 'by_file'")));
  // Ends only when strata has all WAL, the checkpoint of the shutdown included.
  source.stop();

  const auto tenant = strata.tenant_id("s");
  const std::string timeline = strata.timeline("s").at("timeline_id");
  const core::lsn head = strata.lsn_of("s", "last_record_lsn");
  const comparison_options options{.copied_through_wal = {by_wal, by_file}};
  outcome got;
  {
    pagestream_client client(strata.page_port(), tenant, timeline, 3);
    got.newest = compare_with_files(source.data_directory(), client, head, options);
  }
  strata.stop();
  strata.start();
  BOOST_TEST(core::to_string(strata.lsn_of("s", "last_record_lsn")) == core::to_string(head));
  pagestream_client client(strata.page_port(), tenant, timeline, 2);
  got.restarted = compare_with_files(source.data_directory(), client, core::lsn::max(), options);
  BOOST_TEST_MESSAGE(got.newest.text());
  BOOST_TEST_MESSAGE(got.restarted.text());
  return got;
}

void check(const comparison_report& report) {
  BOOST_TEST(report.difference_count == 0u, report.text());
  BOOST_TEST(report.pages > 8000u);
  BOOST_TEST(report.relations > 1000u);
  BOOST_TEST(report.visibility_pages > 30u);
  BOOST_TEST(report.unlogged_empty_pages < report.pages / 50);
}

}  // namespace

STRATA_CASE_FOR_MAJORS(integration_page_fidelity, every_page_of_a_stopped_source_equals_the_page_that_strata_gives,
                       minors::newest_and_oldest) {
  // Only Debian's are built with lz4.
  const bool has_lz4 = install.bin == postgres_bin_directory();
  const outcome got = compare_all_pages(
      install, false, {"full_page_writes = on", "wal_compression = " + std::string(has_lz4 ? "lz4" : "on")});
  check(got.newest);
  check(got.restarted);
}

BOOST_AUTO_TEST_SUITE(integration_page_fidelity)

BOOST_AUTO_TEST_CASE(every_page_of_a_stopped_source_with_checksums_equals_the_page_that_strata_gives) {
  const outcome got = compare_all_pages(postgres_installs().front(), true, {"wal_compression = zstd"});
  check(got.newest);
  check(got.restarted);
}

BOOST_AUTO_TEST_SUITE_END()
