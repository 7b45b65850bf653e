// Reset and expiry of a branch with computes.
#include <boost/test/unit_test.hpp>
#include <future>

#include "tests/integration/compute/kept_servers.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;

BOOST_FIXTURE_TEST_SUITE(integration_compute_branch_reset, with_kept_servers)

BOOST_AUTO_TEST_CASE(a_reset_branch_keeps_its_compute_with_its_address) {
  const json compute = start();
  execute(compute, "insert into rows values (1, 'x')");
  const std::string url = strata.cli({"url", "dev"}).out;
  const finished unasked = strata.cli({"branch", "reset", "dev"});
  BOOST_TEST(unasked.exit_code == 2, unasked.err);
  BOOST_TEST(unasked.err.find("--yes") != std::string::npos, unasked.err);
  const auto rows = [&](const std::string& branch) {
    return strata.cli({"psql", branch, "-c", "select count(*) from rows where id = 1", "--", "-At"}).out;
  };
  BOOST_TEST(rows("dev") == "1\n");
  const finished done = strata.cli({"branch", "reset", "dev", "--keep-as", "before", "--yes"});
  BOOST_TEST(done.exit_code == 0, done.err);
  BOOST_TEST(strata.cli({"url", "dev"}).out == url);
  BOOST_TEST(rows("dev") == "0\n");
  BOOST_TEST(rows("before") == "1\n");
  execute(compute, "insert into rows values (1, 'y')");
  BOOST_TEST(rows("dev") == "1\n");
  // A reset that is refused stops no compute.
  strata.ask({"branch", "protect", "dev"});
  BOOST_TEST(strata.cli({"branch", "reset", "dev", "--yes"}).exit_code == 4);
  BOOST_TEST(strata.cli({"branch", "reset", "dev", "--keep-as", "main", "--yes"}).exit_code == 4);
  BOOST_TEST(now().at("state") == "running");
  strata.ask({"branch", "unprotect", "dev"});
  // Of two at once one is carried out, and what it kept stays.
  strata.ask({"branch", "delete", "before", "--yes", "--force"});
  auto keeping = std::async(std::launch::async, [&] {
    return strata.cli({"branch", "reset", "dev", "--keep-as", "before", "--yes"}).exit_code;
  });
  const int plain = strata.cli({"branch", "reset", "dev", "--yes"}).exit_code;
  const int kept = keeping.get();
  BOOST_TEST((kept == 0 || plain == 0));
  if (plain != 0) BOOST_TEST(rows("before") == "1\n");
  BOOST_TEST(now().at("state") == "running");
  // One that fails after it stopped a compute starts it again.
  strata.ask({"compute", "start", "dev", "--standby", "--name", "a-standby"});
  signal_safekeepers({1, 2}, SIGSTOP);
  auto waits = std::async(std::launch::async, [&] { execute(now(), "insert into rows values (2, 'x')"); });
  wait_until("the commit waits",
             [&] { return value(now(), "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1"; });
  process resetting(strata.program({"branch", "reset", "dev", "--yes", "--limit", "1s"}));
  wait_for_state("stopped");
  signal_safekeepers({1, 2}, SIGCONT);
  const finished failed = resetting.wait();
  BOOST_TEST(failed.exit_code == 6, failed.err);
  BOOST_TEST(failed.err.find("can't reset dev") != std::string::npos, failed.err);
  BOOST_CHECK_THROW(waits.get(), std::runtime_error);
  BOOST_TEST(now().at("state") == "running");
  BOOST_TEST(now("a-standby").at("state") == "running");
  // Its parent has nothing to be reset to.
  BOOST_TEST(strata.cli({"branch", "reset", "main", "--yes"}).exit_code == 4);
}

BOOST_AUTO_TEST_CASE(an_expired_branch_ends_its_compute_which_says_why) {
  start();
  BOOST_TEST(strata.ask({"branch", "expire", "dev", "2h"}).contains("expires_at"));
  BOOST_TEST(!strata.ask({"branch", "expire", "dev", "never"}).contains("expires_at"));
  BOOST_TEST(strata.cli({"branch", "expire", "dev", "2"}).exit_code == 2);
  BOOST_TEST(strata.cli({"branch", "expire", "main", "2h"}).exit_code == 4);
  strata.ask({"branch", "expire", "dev", "1s"});
  wait_until("the branch is gone", [&] { return strata.ask({"branch", "list"}).size() == 1u; });
  wait_until("its compute has ended", [&] { return strata.ask({"compute", "list"})[0].at("state") == "stopped"; });
  BOOST_TEST(strata.ask({"compute", "list"})[0].at("detail").get<std::string>().find("deleted") != std::string::npos);
  BOOST_TEST(strata.ask({"status"}).at("expired_branches")[0].at("branch") == "dev");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
