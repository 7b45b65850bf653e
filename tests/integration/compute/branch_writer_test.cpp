// What is committed on a branch survives its compute.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <set>

#include "tests/integration/compute/kept_servers.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

BOOST_FIXTURE_TEST_SUITE(integration_compute_branch_writer, with_kept_servers)

BOOST_AUTO_TEST_CASE(what_was_acknowledged_survives_the_loss_of_the_compute_again_and_again) {
  std::atomic<std::int64_t> next = 0;
  std::set<std::int64_t> acknowledged;
  json compute = start();
  BOOST_TEST(compute.at("mode") == "branch");
  BOOST_TEST(value(compute, "select count(*) from rows") == "500");
  // A record that is longer than the agent's memory is committed like any other.
  execute(compute, "select pg_logical_emit_message(true, 'test', repeat('x', 100 * 1024 * 1024))");
  for (int life = 1; life <= 3; ++life) {
    writers load(compute, 4, next);
    const std::size_t before = acknowledged.size();
    wait_until("there is load", [&] { return load.count() > 200; });
    if (life == 2)
      ::kill(agent_of(compute), SIGKILL);  // and the next is started while its Postgres still listens
    else
      lose(compute);
    const json again = start();
    acknowledged.merge(load.join());
    BOOST_TEST(acknowledged.size() > before + 200);

    BOOST_TEST(again.at("term").get<int>() > compute.at("term").get<int>());
    BOOST_TEST(again.at("port") == compute.at("port"));
    compute = again;
    sql_session session(compute.at("uri"));
    std::set<std::int64_t> found;
    for (const auto& row : session.query("select id / 2 from rows where id > 0 group by 1 having count(*) = 2"))
      found.insert(std::stoll(row.at(0).value()));
    for (const std::int64_t id : acknowledged) BOOST_TEST(found.contains(id), "row " << id << " was acknowledged");
    // What was not acknowledged is there as a whole or not at all.
    BOOST_TEST(session.value("select count(*) from rows where id > 0") == std::to_string(2 * found.size()));
  }
  // The branch has grown by its own writes: it can be branched, and read at its head.
  const std::string rows = value(compute, "select count(*) from rows");
  strata.ask({"compute", "stop", "dev"});
  wait_until("the pageserver has everything", [&] {
    return lsn_from(strata.timeline("shop", "dev").at("last_record_lsn")) >= lsn_from(now().at("commit_lsn"));
  });
  strata.ask({"branch", "create", "grandchild", "--from", "dev"});
  const json child = strata.ask({"compute", "start", "grandchild"});
  BOOST_TEST(value(child, "select count(*) from rows") == rows);
  execute(child, "insert into rows values (-1000000, 'of the grandchild')");
}

BOOST_AUTO_TEST_CASE(a_postgres_that_ends_by_itself_gets_a_new_life_on_the_same_port) {
  const json compute = start();
  execute(compute, "insert into rows values (1, 'x')");
  ::kill(postmaster_of(compute), SIGKILL);
  wait_until("it runs again", [&] { return now().at("incarnations") == 2 && now().at("state") == "running"; });
  const json again = now();
  BOOST_TEST(again.at("port") == compute.at("port"));
  BOOST_TEST(agent_of(again) == agent_of(compute));
  BOOST_TEST(again.at("term").get<int>() > compute.at("term").get<int>());
  BOOST_TEST(value(again, "select count(*) from rows where id > 0") == "1");
  execute(again, "insert into rows values (2, 'x')");
  // A crash of one backend is the end of the whole server, too: no recovery in place.
  sql_session session(again.at("uri"));
  ::kill(std::stoi(session.value("select pg_backend_pid()")), SIGKILL);
  wait_until("it runs again", [&] { return now().at("incarnations") == 3 && now().at("state") == "running"; });
  BOOST_TEST(value(now(), "select count(*) from rows where id > 0") == "2");
}

BOOST_AUTO_TEST_CASE(postgres_ends_with_its_agent) {
  const json compute = start();
  const pid_t postmaster = postmaster_of(compute);
  ::kill(agent_of(compute), SIGKILL);
  wait_until(
      "Postgres is gone", [&] { return !exists(postmaster); }, 10s);
  BOOST_TEST(now().at("state") == "failed");
}

BOOST_AUTO_TEST_CASE(commands_wait_for_a_writer_that_comes_back) {
  const json compute = start();
  execute(compute, "insert into rows values (1, 'x')");
  const std::vector<std::string> ask{"-c", "select count(*) from rows where id > 0", "--", "-At"};
  const auto check_reached = [&](std::vector<std::string> words) {
    ::kill(postmaster_of(compute), SIGKILL);
    words.insert(words.end(), ask.begin(), ask.end());
    const finished said = strata.cli(words);
    BOOST_TEST(said.out == "1\n", said.out << said.err);
  };
  check_reached({"psql", "dev"});
  check_reached({"psql", "--compute", "dev"});
  ::kill(postmaster_of(compute), SIGKILL);
  const finished url = strata.cli({"url", "dev"});
  BOOST_TEST_REQUIRE(url.exit_code == 0, url.err);
  BOOST_TEST(sql_session(url.out.substr(0, url.out.find('\n'))).value("select 1") == "1");
  BOOST_TEST(now().at("incarnations") == 4);

  signal_safekeepers({1, 2}, SIGSTOP);
  ::kill(postmaster_of(compute), SIGKILL);
  wait_for_state("waiting_for_quorum");
  const finished started = strata.cli({"compute", "start", "dev"});
  BOOST_TEST(started.exit_code == 4, started.err);
  BOOST_TEST(started.err.find("--name") == std::string::npos, started.err);
  const finished late = strata.cli({"psql", "dev", "-c", "select 1"});
  BOOST_TEST(late.exit_code == 6, late.err);
  for (const char* part : {"compute dev is waiting_for_quorum", "not up within 30s", "try again"})
    BOOST_TEST(late.err.find(part) != std::string::npos, late.err);
  signal_safekeepers({1, 2}, SIGCONT);
  wait_for_state("running");
  BOOST_TEST(strata.ask({"compute", "list"}).size() == 1u);
}

BOOST_AUTO_TEST_CASE(copies_of_roots_and_points_in_time_keep_what_is_written) {
  const json root = strata.ask({"compute", "start", "main", "--pages", "copy"});
  BOOST_TEST(root.at("mode") == "copy");
  execute(root, "insert into rows values (1, 'stays here')");
  strata.ask({"compute", "stop", "main"});
  const json again = strata.ask({"compute", "start", "main"});
  BOOST_TEST(value(again, "select count(*) from rows where id > 0") == "1");
  const json then = strata.ask(
      {"compute", "start", "dev@" + again.at("lsn").get<std::string>(), "--name", "then", "--pages", "copy"});
  BOOST_TEST(then.at("mode") == "copy");
  BOOST_TEST(value(then, "select count(*) from rows") == "500");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
