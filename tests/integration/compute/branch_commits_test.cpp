// Commits of a branch, and stops of its writer, without a majority of the safekeepers.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <future>

#include "tests/integration/compute/kept_servers.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

BOOST_FIXTURE_TEST_SUITE(integration_compute_branch_commits, with_kept_servers)

BOOST_AUTO_TEST_CASE(commits_wait_while_there_is_no_majority) {
  const json compute = start();
  execute(compute, "insert into rows values (1, 'x')");
  signal_safekeepers({1, 2}, SIGSTOP);
  auto commit = std::async(std::launch::async, [&] { execute(compute, "insert into rows values (2, 'x')"); });
  wait_until("the loss is told", [&] { return now().at("has_quorum") == false; });
  BOOST_TEST(commit.wait_for(0s) == std::future_status::timeout);
  BOOST_TEST(value(compute, "select count(*) from rows where id > 0") == "1");
  BOOST_TEST(now().at("detail").get<std::string>().find("commits wait") != std::string::npos);
  signal_safekeepers({2}, SIGCONT);
  BOOST_TEST_REQUIRE(commit.wait_for(30s) == std::future_status::ready);
  commit.get();
  BOOST_TEST(value(compute, "select count(*) from rows where id > 0") == "2");
  // One of three may be away.
  execute(compute, "insert into rows values (3, 'x')");
  signal_safekeepers({1}, SIGCONT);
  wait_until("all three have everything", [&] {
    const json status = now();
    for (const auto& each : status.at("safekeepers"))
      if (each.at("flush_lsn") != status.at("commit_lsn")) return false;
    return status.at("commit_lsn") == status.at("written_lsn");
  });
}

BOOST_AUTO_TEST_CASE(a_stop_without_a_majority_ends_after_its_limit_and_says_what_may_be_lost) {
  const json compute = start();
  const pid_t postmaster = postmaster_of(compute);
  execute(compute, "insert into rows values (1, 'x')");
  BOOST_TEST(strata.cli({"compute", "stop", "dev", "--limit", "2m"}).exit_code == 2);
  BOOST_TEST(strata.cli({"compute", "stop", "dev", "--limit", "soon"}).exit_code == 2);
  BOOST_TEST(exists(postmaster));
  signal_safekeepers({1, 2}, SIGSTOP);
  auto waits = std::async(std::launch::async,
                          [&] { execute(compute, "begin; insert into rows values (2, 'x'), (3, 'x'); commit"); });
  wait_until("the commit waits", [&] {
    return value(compute, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1";
  });
  const auto begun = std::chrono::steady_clock::now();
  const finished stopped = strata.cli({"compute", "stop", "dev", "--limit", "2s"});
  const auto took = std::chrono::steady_clock::now() - begun;
  BOOST_TEST((took > 2s && took < 20s), took / 1ms << " ms");
  BOOST_TEST(stopped.exit_code == 6, stopped.out << stopped.err);
  for (const char* words : {"dev was stopped, but not cleanly", "by a majority of the safekeepers within 2s",
                            "every transaction whose COMMIT returned is kept", "strata compute start shop/dev"})
    BOOST_TEST(stopped.err.find(words) != std::string::npos, words << " is not in: " << stopped.err);
  BOOST_CHECK_THROW(waits.get(), std::runtime_error);
  BOOST_TEST(!exists(postmaster));
  wait_until("its agent is reaped", [&] { return !exists(agent_of(compute)); });
  BOOST_TEST(now().at("state") == "stopped");
  const finished again = strata.cli({"compute", "stop", "dev"});
  BOOST_TEST(again.exit_code == 0, again.err);
  BOOST_TEST(again.out.find("already stopped: dev") != std::string::npos, again.out);

  signal_safekeepers({1, 2}, SIGCONT);
  const json next = start();
  BOOST_TEST(value(next, "select count(*) from rows where id = 1") == "1");
  // As a whole or not at all, and from now on the same.
  const std::string kept = value(next, "select count(*) from rows where id in (2, 3)");
  BOOST_TEST((kept == "0" || kept == "2"), kept);
  execute(next, "insert into rows values (4, 'x')");
  const finished in_order = strata.cli({"compute", "stop", "dev", "--limit", "30s"});
  BOOST_TEST(in_order.exit_code == 0, in_order.err);
  BOOST_TEST(value(start(), "select count(*) from rows where id > 0") == std::to_string(2 + std::stoi(kept)));
}

BOOST_AUTO_TEST_CASE(a_transaction_that_stopped_waiting_is_visible_for_a_bounded_time_only) {
  const json compute = start();
  execute(compute, "insert into rows values (1, 'x')");
  signal_safekeepers({1, 2}, SIGSTOP);
  const pid_t postmaster = postmaster_of(compute);
  auto commit = std::async(std::launch::async, [&] { execute(compute, "insert into rows values (2, 'x')"); });
  wait_until("the commit waits", [&] {
    return value(compute, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1";
  });
  execute(compute, "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
  commit.get();
  BOOST_TEST(value(compute, "select count(*) from rows where id = 2") == "1");
  wait_until(
      "Postgres is gone", [&] { return !exists(postmaster); }, 15s);
  BOOST_TEST(now().at("state") != "running");
  signal_safekeepers({1, 2}, SIGCONT);
  wait_for_state("running");
  BOOST_TEST(value(now(), "select count(*) from rows where id = 1") == "1");
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_that_becomes_durable_in_time_does_no_harm) {
  const json compute = start();
  signal_safekeepers({1, 2}, SIGSTOP);
  auto commit = std::async(std::launch::async, [&] { execute(compute, "insert into rows values (2, 'x')"); });
  wait_until("the commit waits", [&] {
    return value(compute, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1";
  });
  execute(compute, "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
  commit.get();
  signal_safekeepers({1, 2}, SIGCONT);
  wait_until("it is durable", [&] { return now().at("commit_lsn") == now().at("written_lsn"); });
  // Longer than an escape is given.
  const auto begun = std::chrono::steady_clock::now();
  int commits = 0;
  for (; std::chrono::steady_clock::now() - begun < 7s; ++commits)
    execute(compute, "insert into rows values (" + std::to_string(100 + commits) + ", 'x')");
  BOOST_TEST(now().at("incarnations") == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
