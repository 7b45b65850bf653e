#include "tests/support/postgres_cluster.hpp"

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <stdexcept>

using namespace strata::tests;

namespace {

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(integration_postgres_cluster)

BOOST_AUTO_TEST_CASE(a_cluster_keeps_its_rows_over_a_restart_and_over_a_crash) {
  postgres_cluster cluster;
  cluster.start();
  cluster.execute("create table t (x int); insert into t select generate_series(1, 1000)");
  cluster.restart();
  BOOST_TEST(cluster.value("select sum(x) from t") == "500500");
  cluster.execute("insert into t values (500)");
  cluster.kill_all();
  BOOST_TEST(!cluster.running());
  cluster.start();
  BOOST_TEST(cluster.value("select sum(x) from t") == "501000");
  BOOST_TEST(mentions(cluster.log(), "automatic recovery in progress"));
}

BOOST_AUTO_TEST_CASE(options_reach_initdb_and_the_configuration) {
  postgres_cluster cluster({.data_checksums = true,
                            .initdb_arguments = {"--wal-segsize=1"},
                            .config = {"max_prepared_transactions = 7", "wal_level = logical"}});
  cluster.start();
  BOOST_TEST(cluster.value("show data_checksums") == "on");
  BOOST_TEST(cluster.value("show wal_segment_size") == "1MB");
  BOOST_TEST(cluster.value("show max_prepared_transactions") == "7");
  BOOST_TEST(cluster.value("show wal_level") == "logical");
  BOOST_TEST(cluster.value("show server_encoding") == "UTF8");
  cluster.configure("max_prepared_transactions = 8");
  cluster.restart(stop_mode::immediate);
  BOOST_TEST(cluster.value("show max_prepared_transactions") == "8");
}

BOOST_AUTO_TEST_CASE(programs_of_the_cluster_talk_to_it) {
  postgres_cluster cluster;
  cluster.start();
  BOOST_TEST(cluster.run("pgbench", {"-i", "-s", "1", "-q"}).exit_code == 0);
  BOOST_TEST(cluster.value("select count(*) from pgbench_accounts") == "100000");
  const finished wrong = cluster.run("psql", {"-c", "select nonsense"});
  BOOST_TEST(wrong.exit_code == 1);
  BOOST_TEST(mentions(wrong.err, "nonsense"));
  sql_session replication(cluster.replication_conninfo());
  BOOST_TEST(replication.query("IDENTIFY_SYSTEM").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_copied_data_directory_can_be_adopted_and_stays) {
  postgres_cluster source;
  source.start();
  source.execute("create table t as select 42 as x");
  BOOST_TEST(source.run("pg_basebackup", {"-D", source.work_directory() / "copy", "-c", "fast"}).exit_code == 0);
  {
    const auto copy = postgres_cluster::adopt(source.work_directory() / "copy", {"work_mem = '5MB'"});
    copy->start();
    BOOST_TEST(copy->value("select x from t") == "42");
    BOOST_TEST(copy->value("show work_mem") == "5MB");
    BOOST_TEST(copy->port() != source.port());
  }
  BOOST_TEST(std::filesystem::exists(source.work_directory() / "copy" / "PG_VERSION"));
}

BOOST_AUTO_TEST_CASE(a_server_that_cannot_start_says_why) {
  postgres_cluster cluster({.config = {"shared_buffers = nonsense"}});
  BOOST_CHECK_EXCEPTION(cluster.start(), std::runtime_error,
                        [](const auto& e) { return mentions(e.what(), "shared_buffers"); });
  BOOST_TEST(!cluster.running());
}

BOOST_AUTO_TEST_CASE(directories_are_gone_with_their_owner) {
  std::filesystem::path kept;
  {
    postgres_cluster cluster;
    cluster.start();
    kept = cluster.data_directory();
    BOOST_TEST(std::filesystem::exists(kept));
  }
  BOOST_TEST(!std::filesystem::exists(kept));
}

BOOST_AUTO_TEST_CASE(a_program_that_runs_too_long_is_killed) {
  BOOST_CHECK_THROW(run({.arguments = {"sleep", "100"}}, std::chrono::milliseconds(50)), std::runtime_error);
  BOOST_CHECK_THROW(run({.arguments = {"/no/such/program"}}), std::runtime_error);
  const finished echoed = run({.arguments = {"cat"}, .input = "told"});
  BOOST_TEST(echoed.out == "told");
  process sleeper({.arguments = {"sleep", "100"}});
  sleeper.signal(SIGTERM);
  BOOST_TEST(sleeper.wait().exit_code == 128 + SIGTERM);
}

BOOST_AUTO_TEST_SUITE_END()
