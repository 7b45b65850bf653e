#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <future>

#include "tests/support/quorum_cluster.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(quorum_catch_up)

/// What is committed comes from another safekeeper, and what waits for the one that lags to be committed does not.
BOOST_AUTO_TEST_CASE(a_safekeeper_that_lags_is_fed_over_the_end_of_what_is_committed) {
  quorum_cluster cluster;
  cluster.start_compute();
  sql_session session(cluster.conninfo());
  session.execute("CREATE TABLE t (i int)");
  // More than the proposer keeps in memory.
  cluster.signal_safekeeper(3, SIGSTOP);
  session.execute("SELECT pg_logical_emit_message(true, 'x', repeat('a', 100 * 1024 * 1024))");
  cluster.signal_safekeeper(1, SIGSTOP);
  auto waiting = std::async(std::launch::async, [&] {
    sql_session other(cluster.conninfo());
    other.execute("INSERT INTO t VALUES (1)");
  });
  wait_until("it waits for a quorum", [&] {
    return session.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1";
  });
  cluster.signal_safekeeper(3, SIGCONT);
  BOOST_TEST((waiting.wait_for(60s) == std::future_status::ready), "a majority lives");
  cluster.signal_safekeeper(1, SIGCONT);
  waiting.get();
  BOOST_TEST(session.value("SELECT count(*) FROM t") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
