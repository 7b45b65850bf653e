#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <random>
#include <thread>

#include "tests/quorum/bank.hpp"
#include "tests/support/chaos_proxy.hpp"
#include "tests/support/quorum_cluster.hpp"

using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

void audit(const bank& books) {
  for (const auto& wrong : books.audit()) BOOST_ERROR(wrong);
  BOOST_TEST_MESSAGE(books.acknowledged() << " transfers acknowledged, " << books.uncertain() << " uncertain");
}

/// Returns when at least this many more were acknowledged.
void wait_for_transfers(const bank& books, std::uint64_t more) {
  const std::uint64_t before = books.acknowledged();
  wait_until(
      std::to_string(more) + " more transfers", [&] { return books.acknowledged() >= before + more; }, 2min);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quorum)

BOOST_AUTO_TEST_CASE(a_branch_grows_by_its_own_writes) {
  quorum_cluster cluster;
  cluster.start_compute();
  {
    sql_session session(cluster.conninfo());
    session.execute("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 10000) i");
    session.execute("CREATE INDEX ON t (i)");
  }
  const std::string before = sql_session(cluster.conninfo()).value("SELECT pg_current_wal_flush_lsn()");
  sql_session(cluster.conninfo()).execute("DELETE FROM t WHERE i > 5000");
  const std::string after = sql_session(cluster.conninfo()).value("SELECT pg_current_wal_flush_lsn()");
  const auto has = [&](const std::string& lsn) {
    return lsn_from(cluster.strata().timeline("s", "dev").at("last_record_lsn")) >= before_page_header(lsn_from(lsn));
  };
  wait_until("the branch has what was written", [&] { return has(after); });

  // It can be branched and read where it was and where it is.
  cluster.strata().ask({"branch", "create", "then", "--from", "dev@" + before});
  cluster.strata().ask({"branch", "create", "now", "--from", "dev@" + after});
  const branch_compute then(cluster.strata(), "then");
  const branch_compute now(cluster.strata(), "now");
  BOOST_TEST(then.value("SELECT count(*) FROM t") == "10000");
  BOOST_TEST(now.value("SELECT count(*) FROM t") == "5000");
  const finished checked = now.run("pg_amcheck", {"--all", "--heapallindexed", "--install-missing"});
  BOOST_TEST(checked.exit_code == 0, checked.out << checked.err);
}

BOOST_AUTO_TEST_CASE(the_loss_of_the_computes_machine_loses_nothing_acknowledged) {
  quorum_cluster cluster;
  cluster.start_compute();
  bank books([&] { return cluster.conninfo(); }, 4);
  books.create();
  for (int round = 0; round < 4; ++round) {
    books.start();
    wait_for_transfers(books, 200);
    cluster.kill_compute();
    cluster.start_compute();
    books.stop();
    audit(books);
  }
}

BOOST_AUTO_TEST_CASE(safekeepers_are_killed_and_stopped_under_load) {
  quorum_cluster cluster;
  cluster.start_compute();
  bank books([&] { return cluster.conninfo(); }, 4);
  books.create();
  books.start();
  std::mt19937 random(41);
  for (int round = 0; round < 12; ++round) {
    const int victim = static_cast<int>(random() % 3) + 1;
    wait_for_transfers(books, 50);
    if (round % 3 == 2) {
      // One that hangs holds nobody up.
      cluster.signal_safekeeper(victim, SIGSTOP);
      wait_for_transfers(books, 100);
      cluster.signal_safekeeper(victim, SIGCONT);
    } else {
      const pid_t before = cluster.safekeeper(victim);
      cluster.signal_safekeeper(victim, SIGKILL);
      wait_for_transfers(books, 50);
      cluster.wait_for_new_safekeeper(victim, before);
    }
  }
  books.stop();
  audit(books);
  BOOST_TEST(books.uncertain() == 0u, "a minority of safekeepers was felt by sessions");
}

BOOST_AUTO_TEST_CASE(commits_stop_without_a_quorum_and_go_on_with_one) {
  quorum_cluster cluster;
  cluster.start_compute();
  bank books([&] { return cluster.conninfo(); }, 4);
  books.create();
  books.start();
  wait_for_transfers(books, 50);
  cluster.signal_safekeeper(1, SIGSTOP);
  cluster.signal_safekeeper(2, SIGSTOP);
  // What the two had flushed may still be told; after that there is silence.
  std::uint64_t seen = books.acknowledged();
  wait_until("commits have stopped", [&] {
    std::this_thread::sleep_for(500ms);
    return std::exchange(seen, books.acknowledged()) == seen;
  });
  // Nothing comes after a commit that is never acknowledged: time alone shows it.
  std::this_thread::sleep_for(2s);
  BOOST_TEST(books.acknowledged() == seen);
  cluster.signal_safekeeper(2, SIGCONT);
  wait_for_transfers(books, 100);
  cluster.signal_safekeeper(1, SIGCONT);
  books.stop();
  audit(books);
}

BOOST_AUTO_TEST_CASE(competing_computes) {
  quorum_cluster cluster;
  cluster.start_compute("one");
  bank books([&] { return cluster.conninfo(); }, 4);
  books.create();
  books.start();
  for (int round = 0; round < 5; ++round) {
    wait_for_transfers(books, 50);
    const std::string old = round % 2 == 0 ? "one" : "two";
    cluster.start_compute(round % 2 == 0 ? "two" : "one");
    wait_until("the superseded one has stopped", [&] { return cluster.compute(old).at("state") == "superseded"; });
  }
  books.stop();
  audit(books);
}

BOOST_AUTO_TEST_CASE(links_to_safekeepers_break_and_hang) {
  quorum_cluster cluster;
  std::vector<std::unique_ptr<chaos_proxy>> links;
  const std::string path = cluster.strata().timeline_path("s", "dev") + "/safekeepers";
  json members = cluster.strata().api("POST", path).at("members");
  for (json& member : members) {
    links.push_back(std::make_unique<chaos_proxy>(member.at("port").get<std::uint16_t>()));
    member["port"] = links.back()->port();
  }
  cluster.strata().api("PUT", path, {{"generation", 2}, {"members", members}});
  cluster.start_compute();
  bank books([&] { return cluster.conninfo(); }, 4);
  books.create();
  books.start();
  std::mt19937 random(42);
  for (int round = 0; round < 9; ++round) {
    chaos_proxy& one = *links[random() % links.size()];
    wait_for_transfers(books, 50);
    if (round % 3 == 0) {
      one.reset();
    } else {
      // Whether or not it hears us, it holds nobody up.
      one.cut();
      wait_for_transfers(books, 100);
      one.heal();
    }
  }
  for (const auto& link : links) link->cut();
  std::uint64_t seen = books.acknowledged();
  wait_until("commits have stopped", [&] {
    std::this_thread::sleep_for(500ms);
    return std::exchange(seen, books.acknowledged()) == seen;
  });
  for (const auto& link : links) link->heal();
  wait_for_transfers(books, 100);
  books.stop();
  audit(books);
  BOOST_TEST(books.uncertain() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
