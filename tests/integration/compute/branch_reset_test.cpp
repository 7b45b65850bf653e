// Reset and expiry of a branch with computes.
#include <boost/test/unit_test.hpp>
#include <future>

#include "config/time_text.hpp"
#include "core/clock.hpp"
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
  // Its parent has nothing to be reset to.
  BOOST_TEST(strata.cli({"branch", "reset", "main", "--yes"}).exit_code == 4);
}

BOOST_AUTO_TEST_CASE(an_expired_branch_ends_its_compute_which_says_why) {
  start();
  const json expiry{{"expires_at", config::utc_text(core::system_clock().now() + std::chrono::seconds(1))}};
  strata.api("PATCH", strata.timeline_path("shop", "dev"), expiry);
  wait_until("the branch is gone", [&] { return strata.ask({"branch", "list"}).size() == 1u; });
  wait_until("its compute has ended", [&] { return strata.ask({"compute", "list"})[0].at("state") == "stopped"; });
  BOOST_TEST(strata.ask({"compute", "list"})[0].at("detail").get<std::string>().find("deleted") != std::string::npos);
  BOOST_TEST(strata.ask({"status"}).at("expired_branches")[0].at("branch") == "dev");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
