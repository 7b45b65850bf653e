// A branch has one writer at a time.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>

#include "tests/integration/compute/kept_servers.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

BOOST_FIXTURE_TEST_SUITE(integration_compute_branch_takeover, with_kept_servers)

BOOST_AUTO_TEST_CASE(a_second_compute_takes_over_and_the_first_stops) {
  const json first = start();
  execute(first, "insert into rows values (1, 'by the first')");
  sql_session open(first.at("uri"));
  const pid_t postmaster = postmaster_of(first);
  // Not by accident.
  const finished refused = strata.cli({"compute", "start", "dev", "--name", "other"});
  BOOST_TEST(refused.exit_code == 4, refused.err);
  BOOST_TEST(refused.err.find("compute dev is writing dev") != std::string::npos, refused.err);
  BOOST_TEST(refused.err.find("--take-over") != std::string::npos, refused.err);
  BOOST_TEST(open.value("select count(*) from rows where id = 1") == "1");
  BOOST_TEST(strata.ask({"compute", "list"}).size() == 1u);
  const json second = start({"--name", "other", "--take-over"});
  // Whether its agent has noticed or not.
  BOOST_TEST(now().at("state") == "superseded");
  wait_until("the first's Postgres is gone", [&] { return !exists(postmaster); });
  BOOST_CHECK_THROW(open.execute("select 1"), std::runtime_error);
  BOOST_TEST(now().at("detail").get<std::string>().find("term 2") != std::string::npos, now().dump());
  wait_until("its agent is gone", [&] { return !exists(agent_of(first)); });
  BOOST_TEST(value(second, "select count(*) from rows where id = 1") == "1");
  execute(second, "insert into rows values (2, 'by the second')");
  // And back again.
  const json third = start({"--take-over"});
  wait_for_state("superseded", "other");
  BOOST_TEST(value(third, "select count(*) from rows where id > 0") == "2");
}

BOOST_AUTO_TEST_CASE(a_compute_that_was_held_up_while_another_took_over_acknowledges_nothing) {
  const json first = start();
  const pid_t postmaster = postmaster_of(first);
  ::kill(agent_of(first), SIGSTOP);
  const json second = start({"--name", "other", "--take-over"});
  execute(second, "insert into rows values (2, 'by the second')");
  // Its Postgres runs, and knows of nothing.
  auto lost = std::async(std::launch::async, [&] { execute(first, "insert into rows values (1, 'by the first')"); });
  wait_until("a commit waits",
             [&] { return value(first, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1"; });
  ::kill(agent_of(first), SIGCONT);
  wait_for_state("superseded");
  BOOST_CHECK_THROW(lost.get(), std::runtime_error);
  wait_until("its Postgres is gone", [&] { return !exists(postmaster); });
  BOOST_TEST(value(second, "select string_agg(filler, ',') from rows where id > 0") == "by the second");
  execute(second, "insert into rows values (3, 'by the second')");
}

BOOST_AUTO_TEST_CASE(of_several_that_start_at_once_none_takes_over_by_accident) {
  for (int round = 0; round < 3; ++round) {
    std::vector<std::future<finished>> starts;
    for (const char* name : {"a", "b", "c"})
      starts.push_back(std::async(std::launch::async, [this, name] {
        return strata.cli({"compute", "start", "dev", "--name", name});
      }));
    int started = 0;
    for (auto& each : starts) {
      const finished done = each.get();
      started += done.exit_code == 0 ? 1 : 0;
      BOOST_TEST((done.exit_code == 0 || done.exit_code == 4), done.err);
      if (done.exit_code != 0) BOOST_TEST(done.err.find("is writing dev") != std::string::npos, done.err);
    }
    BOOST_TEST(started == 1);
    const json all = strata.ask({"compute", "list"});
    BOOST_TEST_REQUIRE(all.size() == 1u, all.dump());
    BOOST_TEST(all.at(0).at("state") == "running");
    strata.ask({"compute", "stop", all.at(0).at("name"), "--remove"});
  }
}

BOOST_AUTO_TEST_CASE(of_several_that_are_started_at_once_one_remains) {
  std::vector<std::future<finished>> starts;
  for (const char* name : {"a", "b", "c"})
    starts.push_back(std::async(std::launch::async, [this, name] {
      return strata.cli({"compute", "start", "dev", "--name", name, "--take-over", "--json"});
    }));
  for (auto& each : starts) each.wait();
  const auto in_state = [&](const std::string& state) {
    std::vector<json> found;
    for (const auto& each : strata.ask({"compute", "list"}))
      if (each.at("state") == state) found.push_back(each);
    return found;
  };
  // Whoever lost before its Postgres ran is not there any more; whoever lost later says so.
  wait_until("one remains", [&] {
    return in_state("running").size() == 1 &&
           in_state("superseded").size() + 1 == strata.ask({"compute", "list"}).size();
  });
  const json last = in_state("running").front();
  execute(last, "insert into rows values (1, 'x')");
  BOOST_TEST(value(last, "select count(*) from rows where id > 0") == "1");
  BOOST_TEST(in_state("running").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_writer_whose_record_is_damaged_is_not_ended_by_accident) {
  const json first = start();
  execute(first, "insert into rows values (1, 'by the first')");
  sql_session open(first.at("uri"));
  const pid_t postmaster = postmaster_of(first);
  strata.ask({"branch", "create", "free"});
  const fs::path directory = strata.directory() / "computes" / "dev";
  const auto check_refused = [&](const std::vector<std::string>& words) {
    const finished refused = strata.cli(words);
    BOOST_TEST(refused.exit_code == 4, words.front() << ": " << refused.err);
    for (const std::string& part :
         {directory.string() + " has a running agent", std::string("strata compute stop dev")})
      BOOST_TEST(refused.err.find(part) != std::string::npos, words.front() << ": " << refused.err);
    BOOST_TEST(open.value("select count(*) from rows where id = 1") == "1");
  };
  for (const bool is_missing : {false, true}) {
    if (is_missing)
      fs::remove(directory / "compute.json");
    else
      fs::resize_file(directory / "compute.json", fs::file_size(directory / "compute.json") / 2);
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"compute", "start", "dev", "--name", "other"},
          {"compute", "start", "dev"},
          {"psql", "dev", "-c", "select 1"},
          {"url", "dev"},
          {"branch", "delete", "dev", "--yes"}})
      check_refused(words);
  }
  // Its agent tells which branch it writes; of one that does not, nobody knows.
  BOOST_TEST(strata.cli({"psql", "free", "-c", "select 1"}).exit_code == 0);
  strata.ask({"compute", "stop", "free", "--remove"});
  ::kill(agent_of(first), SIGSTOP);
  std::ofstream(directory / "compute-agent.json") << "{";
  check_refused({"compute", "start", "free"});
  ::kill(agent_of(first), SIGCONT);

  // Who wants to end it can: by taking over, and by its name.
  const json other = start({"--name", "other", "--take-over"});
  wait_until("the first's Postgres is gone", [&] { return !exists(postmaster); });
  BOOST_TEST(value(other, "select count(*) from rows where id = 1") == "1");
  fs::remove(strata.directory() / "computes" / "other" / "compute.json");
  const pid_t second = postmaster_of(other);
  const finished stopped = strata.cli({"compute", "stop", "other"});
  BOOST_TEST(stopped.exit_code == 0, stopped.err);
  BOOST_TEST(stopped.out.find("stopped other") != std::string::npos, stopped.out);
  BOOST_TEST(!exists(second));
  wait_until("its agent is reaped", [&] { return !exists(agent_of(other)); });
  const json last = start();
  BOOST_TEST(value(last, "select count(*) from rows where id = 1") == "1");
  // `down` ends it, too.
  fs::remove(strata.directory() / "computes" / last.at("name").get<std::string>() / "compute.json");
  BOOST_TEST(strata.cli({"down", "--computes"}).exit_code == 0);
  wait_until("its agent is reaped", [&] { return !exists(agent_of(last)); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
