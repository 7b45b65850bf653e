#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/integration/bad_input_fixture.hpp"
#include "tests/support/small_disk.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_disk_full)

namespace {

namespace fs = std::filesystem;

connect_to connect(const postgres_cluster& cluster) {
  return [&](const std::string& database) { return cluster.conninfo(database); };
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_reads_go_on_and_nothing_is_lost) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("SKIPPED: only root may mount a small disk");
    return;
  }
  const small_disk disk("96m");
  if (!disk.problem.empty()) {
    BOOST_TEST_MESSAGE("SKIPPED: no small disk can be mounted here: " << disk.problem);
    return;
  }
  bad_input_fixture test({.directory = disk.place() / "strata"});
  test.start();
  strata_server& strata = test.strata;
  strata.set_options("good", {{"checkpoint_distance", "4 MiB"}, {"compaction_period", "0s"}});
  const pid_t pid = strata.pid();
  const strata::pg::relation_fork table = bad_input_fixture::fork_of(test.good, "kept");
  const strata::core::lsn before = strata.lsn_of("good", "last_record_lsn");

  // Text that does not compress, more than there is room for.
  test.good.execute(
      "CREATE TABLE large AS SELECT i, (SELECT string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, 60) "
      "j) AS t "
      "FROM generate_series(1, 60000) i");
  wait_until(
      "the full disk is noticed",
      [&] {
        const std::string told =
            strata.http("GET", strata.timeline_path("good")).body + strata.http("GET", "/v1/actors").body;
        return mentions(told, "No space left") || mentions(told, "space");
      },
      std::chrono::minutes(3));

  // What was there before is still served, by the process that it was.
  BOOST_TEST(strata.pid() == pid);
  BOOST_TEST(strata.running());
  pagestream_client client(strata.page_port(), strata.tenant_id("good"), strata.timeline("good").at("timeline_id"));
  BOOST_TEST(client.size(table, before) > 0u);
  BOOST_CHECK_NO_THROW(client.page(table, 0, before));
  BOOST_TEST(strata.cli({"status"}).exit_code == 0);

  // With room again it goes on by itself.
  disk.grow("1g");
  strata.wait_for_lsn("good", lsn_from(test.good.value("SELECT pg_current_wal_flush_lsn()")));
  strata.api("PUT", strata.timeline_path("good") + "/checkpoint");
  const cluster_contents now = contents_of(connect(test.good));
  strata.ask({"branch", "create", "dev", "--from", "main"});
  const branch_compute compute(strata, "dev");
  const auto found =
      differences(now, contents_of([&](const std::string& database) { return compute.conninfo(database); }));
  for (const auto& difference : found) BOOST_ERROR(difference);
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_SUITE_END()
