#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "config/time_text.hpp"
#include "core/clock.hpp"
#include "tests/integration/compute/branch_fixture.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

BOOST_FIXTURE_TEST_SUITE(integration_compute_branch_compute, with_branch)

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
  BOOST_TEST(
      overruled.err.find("--set \"wal_level = logical\" is overridden by wal_level=replica") != std::string::npos,
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
