// Starts of a writer that do not succeed, and what a start leaves to whom.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/integration/compute/kept_servers.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

BOOST_FIXTURE_TEST_SUITE(integration_compute_branch_start, with_kept_servers)

BOOST_AUTO_TEST_CASE(a_start_that_is_ended_has_a_reason_and_a_server_that_hangs_keeps_no_agent) {
  start();
  strata.ask({"compute", "stop", "dev"});
  const fs::path computes = strata.directory() / "computes";
  const auto begin_waiting = [&](const std::string& name) {
    auto command = std::make_unique<process>(strata.program({"compute", "start", "dev", "--name", name}));
    wait_until(name + " waits for its quorum", [&] {
      return fs::exists(computes / name / "compute-agent.json") && now(name).at("state") == "waiting_for_quorum";
    });
    return command;
  };
  signal_safekeepers({1, 2}, SIGSTOP);
  {
    const auto command = begin_waiting("other");
    ::kill(agent_of(now("other")), SIGKILL);
    const finished failed = command->wait();
    BOOST_TEST(failed.err.find("was killed by signal 9 while it was waiting_for_quorum") != std::string::npos,
               failed.err);
    BOOST_TEST(!fs::exists(computes / "other"));
  }
  const auto command = begin_waiting("dev");
  const pid_t agent = agent_of(now());
  ::kill(strata.pid(), SIGSTOP);
  signal_safekeepers({1, 2}, SIGCONT);
  const std::string reason = "did not answer within 5 s";
  wait_until("the agent names the server that hangs",
             [&] { return now().at("detail").get<std::string>().find(reason) != std::string::npos; });
  const auto stopped = strata.cli({"compute", "stop", "dev"}, 20s);
  BOOST_TEST(stopped.exit_code == 0, stopped.err);
  const finished failed = command->wait();
  BOOST_TEST(failed.exit_code == 4, failed.err);
  BOOST_TEST(failed.err.find("another command stopped it while it was waiting_for_pageserver: ") != std::string::npos,
             failed.err);
  BOOST_TEST(failed.err.find(reason) != std::string::npos, failed.err);
  wait_until("its agent is reaped", [&] { return !exists(agent); });
  ::kill(strata.pid(), SIGCONT);
  BOOST_TEST(value(start(), "select count(*) from rows") == "500");
}

BOOST_AUTO_TEST_CASE(a_start_that_a_signal_ends_leaves_neither_agent_nor_directory) {
  // Without a majority it waits.
  signal_safekeepers({1, 2}, SIGSTOP);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    process starting(strata.program({"compute", "start", "dev"}));
    json begun;
    wait_until("its agent is running", [&] {
      const json all = strata.ask({"compute", "list"});
      begun = all.empty() ? json() : all.at(0);
      return begun.contains("agent_pid") && begun.at("state") == "waiting_for_quorum";
    });
    // It begins nowhere yet.
    const std::string listed = strata.cli({"compute", "list"}).out;
    BOOST_TEST(listed.find("0/0") == std::string::npos, listed);
    starting.signal(number);
    const finished said = starting.wait();
    BOOST_TEST(said.exit_code == 128 + number, said.err);
    BOOST_TEST(said.err.find("compute dev was removed") != std::string::npos, said.err);
    BOOST_TEST(strata.ask({"compute", "list"}).empty());
    BOOST_TEST(!exists(agent_of(begun)));
  }
  signal_safekeepers({1, 2}, SIGCONT);
  execute(start(), "insert into rows values (1, 'x')");
}

BOOST_AUTO_TEST_CASE(it_is_stopped_and_started_with_settings_that_nobody_can_change) {
  const finished overruled =
      strata.cli({"compute", "start", "dev", "--set", "work_mem = 7MB", "--set", "wal_level = logical"});
  BOOST_TEST(overruled.exit_code == 0, overruled.err);
  BOOST_TEST(overruled.err.find("--set \"wal_level = logical\" is overridden by the branch: strata branch wal-level") !=
                 std::string::npos,
             overruled.err);
  BOOST_TEST(overruled.err.find("work_mem") == std::string::npos, overruled.err);
  const json compute = now();
  BOOST_TEST(strata.cli({"compute", "start", "dev"}).exit_code == 4);
  BOOST_TEST(value(compute, "show work_mem") == "7MB");
  execute(compute, "alter system set synchronous_standby_names = ''");
  execute(compute, "alter system set wal_level = 'logical'");
  execute(compute, "select pg_reload_conf()");
  BOOST_TEST(value(compute, "show synchronous_standby_names") == "strata");
  execute(compute, "create role mallory replication login");
  const auto socket = std::filesystem::path(compute.at("data_directory").get<std::string>()).replace_filename("socket");
  const finished backup = run({.arguments = {std::filesystem::path(postgres_bin_directory()) / "pg_receivewal", "-h",
                                             socket, "-p", std::to_string(compute.at("port").get<int>()), "-U",
                                             "mallory", "--create-slot", "--slot", "ahead"}});
  BOOST_TEST(backup.exit_code != 0);
  BOOST_TEST(backup.err.find("pg_hba.conf rejects replication connection") != std::string::npos, backup.err);
  execute(compute, "begin; insert into rows values (1, 'prepared'); prepare transaction 'kept'");

  const pid_t postmaster = postmaster_of(compute);
  strata.ask({"compute", "stop", "dev"});
  BOOST_TEST(!exists(postmaster));
  wait_until("its agent is reaped", [&] { return !exists(agent_of(compute)); });
  const json stopped = now();
  BOOST_TEST(stopped.at("state") == "stopped");
  BOOST_TEST(stopped.at("commit_lsn") == stopped.at("written_lsn"));
  const json again = start();
  BOOST_TEST(value(again, "show work_mem") == "7MB");
  BOOST_TEST(value(again, "select count(*) from pg_roles where rolname = 'mallory'") == "1");
  execute(again, "commit prepared 'kept'");
  BOOST_TEST(value(again, "select filler from rows where id = 1") == "prepared");
  strata.ask({"compute", "stop", "dev", "--remove"});
  BOOST_TEST(strata.ask({"compute", "list"}).empty());
}

BOOST_AUTO_TEST_CASE(what_was_wrong_on_the_command_line_is_named_when_postgres_does_not_start) {
  for (const char* branch : {"dev", "main"}) {
    const finished failed = strata.cli({"compute", "start", branch, "--set", "work_mem = nonsense"});
    BOOST_TEST(failed.exit_code == 1, failed.err);
    BOOST_TEST(failed.err.find("correct --set 'work_mem = nonsense'") != std::string::npos, failed.err);
  }
  BOOST_TEST(strata.ask({"compute", "list"}).empty());
  // Programs of another version are no reason for an error, and not passed over in silence.
  const temp_dir programs;
  std::ofstream(programs / "postgres") << "#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n";
  fs::permissions(programs / "postgres", fs::perms::owner_all);
  const std::string note = " in " + programs.path().string() + "; using /";
  for (int round = 0; round < 2; ++round) {
    const finished started = strata.cli({"compute", "start", "dev", "--pg-bin", programs.path().string()});
    BOOST_TEST(started.exit_code == 0, started.err);
    BOOST_TEST(started.err.find(note) != std::string::npos, started.err);
    strata.ask({"compute", "stop", "dev"});
  }
  // A server with sources needs no advice to add one.
  strata.stop();
  const finished up = strata.cli({"up", "--detach"});
  BOOST_TEST(up.exit_code == 0, up.err);
  BOOST_TEST(up.err.find("source add") == std::string::npos, up.err);
  BOOST_TEST(strata.cli({"down"}).exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
