#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

bool mentions(const finished& said, const std::string& text) {
  return (said.out + said.err).find(text) != std::string::npos;
}

/// Process ids in postmaster.pid files below a directory, of processes that live.
std::vector<pid_t> postmasters_below(const fs::path& directory) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.path().filename() != "postmaster.pid") continue;
    pid_t pid = 0;
    std::ifstream(entry.path()) >> pid;
    if (pid > 0 && ::kill(pid, 0) == 0) found.push_back(pid);
  }
  return found;
}

/// Two sources, `a` and `b`, each with a branch dev; no safekeepers, so that every compute is a copy.
struct two_sources {
  two_sources() {
    for (auto* source : {&a, &b}) {
      source->start();
      source->execute("create database shop");
      source->execute("create role app login; create table t (who text); insert into t values ('" +
                          std::string(source == &a ? "a" : "b") + "')",
                      "shop");
    }
    strata.start();
    for (auto* source : {&a, &b}) {
      const std::string name = source == &a ? "a" : "b";
      strata.add_source(name, source->conninfo());
      strata.wait_for_lsn(name, lsn_from(source->value("select pg_current_wal_flush_lsn()")));
      strata.ask({"branch", "create", "dev", "--from", name + "/main"});
    }
  }
  [[nodiscard]] finished strata_with(std::vector<std::pair<std::string, std::string>> environment,
                                     const std::vector<std::string>& words) const {
    command what = strata.program(words);
    what.environment.insert(what.environment.end(), environment.begin(), environment.end());
    return run(what);
  }
  [[nodiscard]] finished who(const std::vector<std::string>& words, const std::string& database = "shop") const {
    std::vector<std::string> all{"psql"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--database", database, "--", "-Atc", "select string_agg(who, ',' order by who) from t"});
    return strata.cli(all);
  }
  [[nodiscard]] json compute(const std::string& name) const {
    for (const auto& each : strata.ask({"compute", "list"}))
      if (each.at("name") == name) return each;
    return nullptr;
  }
  postgres_cluster a{{.config = {"wal_level = logical"}}};
  postgres_cluster b{{.config = {"wal_level = replica"}}};
  strata_server strata;
};

BOOST_FIXTURE_TEST_SUITE(integration_compute_commands, two_sources)

BOOST_AUTO_TEST_CASE(commands_reach_the_compute_of_the_branch_that_they_name_and_no_other) {
  // -- what the shell is about does not count
  const std::string port = std::to_string(a.port());
  const std::vector<std::pair<std::string, std::string>> shell{
      {"PGHOST", "127.0.0.1"},  {"PGHOSTADDR", "127.0.0.1"},        {"PGPORT", port},          {"PGUSER", "nobody"},
      {"PGDATABASE", "none"},   {"PGOPTIONS", "-c no_such=1"},      {"PGREQUIREPEER", "none"}, {"PGSERVICE", "none"},
      {"PGSSLMODE", "require"}, {"PGTARGETSESSIONATTRS", "standby"}};
  const finished dropped =
      strata_with(shell, {"psql", "a/dev", "--", "-U", "postgres", "-d", "shop", "-c", "drop table t"});
  BOOST_TEST(dropped.exit_code == 0, dropped.err);
  BOOST_TEST(a.value("select who from t", "shop") == "a");
  BOOST_TEST(strata.cli({"psql", "a/dev", "-c", "table t", "--", "-d", "shop"}).exit_code != 0);
  const finished again = strata_with(shell, {"psql", "a/dev", "--user", "app", "--database", "shop", "-c",
                                             "select current_user || current_database()", "--", "-At"});
  BOOST_TEST(again.out == "appshop\n", again.out << again.err);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-h", "127.0.0.1"}, {"-p" + port}, {"host=x"}}) {
    std::vector<std::string> all{"psql", "a/dev", "--"};
    all.insert(all.end(), words.begin(), words.end());
    BOOST_TEST(strata.cli(all).exit_code == 2);
  }
  // Nor does what Postgres itself would connect by.
  const json of_a = compute("dev");
  std::ifstream environment("/proc/" + std::to_string(postmasters_below(of_a.at("data_directory")).at(0)) + "/environ");
  std::stringstream inherited;
  inherited << environment.rdbuf();
  BOOST_TEST(inherited.str().find("PGHOST") == std::string::npos);
  BOOST_TEST(inherited.str().find("PGDATA=") != std::string::npos);

  // -- a source and a timeline, not a name
  BOOST_TEST(who({"dev", "--tenant", "b"}).out == "b\n");
  BOOST_TEST(who({"b/dev"}).out == "b\n");
  BOOST_TEST(compute("b-dev").at("source") == "b");
  BOOST_TEST(strata.cli({"psql", "dev"}).exit_code == 2);
  const std::string url = strata.cli({"url", "b/dev", "--user", "app", "--database", "shop"}).out;
  BOOST_TEST(url.starts_with("postgresql://app@/shop?host="), url);
  BOOST_TEST(url.find("b-dev") != std::string::npos, url);

  // -- a deleted branch
  const finished in_use = strata.cli({"branch", "delete", "b/dev", "--yes"});
  BOOST_TEST(in_use.exit_code == 4, in_use.err);
  BOOST_TEST(mentions(in_use, "b-dev (running)"), in_use.err);
  strata.ask({"compute", "stop", "b-dev"});
  BOOST_TEST(mentions(strata.cli({"branch", "delete", "b/dev", "--yes"}), "b-dev (a stopped copy"));
  // Not by the command line: its compute stays, and is not the new branch's.
  strata.cli({"psql", "b/dev", "--database", "shop", "-c", "update t set who = 'of the deleted'"});
  strata.api("DELETE", strata.timeline_path("b", "dev"));
  b.execute("insert into t values ('later')", "shop");
  strata.wait_for_lsn("b", lsn_from(b.value("select pg_current_wal_flush_lsn()")));
  strata.ask({"branch", "create", "dev", "--from", "b/main"});
  const finished fresh = strata.cli({"compute", "start", "b/dev", "--name", "new"});
  BOOST_TEST(fresh.exit_code == 0, fresh.err);
  BOOST_TEST(who({"b/dev"}).out == "b,later\n");
  BOOST_TEST(who({"--compute", "b-dev"}).out == "of the deleted\n");
  strata.ask({"branch", "delete", "b/dev", "--yes", "--force"});
  BOOST_TEST(compute("new").is_null());

  // -- a damaged record
  {
    const fs::path record = strata.directory() / "computes" / "b-dev" / "compute.json";
    fs::resize_file(record, fs::file_size(record) / 2);
    const finished listed = strata.cli({"compute", "list"});
    BOOST_TEST(listed.exit_code == 0, listed.err);
    BOOST_TEST(mentions(listed, "damaged"), listed.out);
    BOOST_TEST(mentions(listed, record.string()), listed.err);
    BOOST_TEST(who({"--compute", "dev"}, "shop").exit_code != 0);  // t was dropped there
    BOOST_TEST(mentions(strata.cli({"psql", "a/dev", "-c", "select 'answer'"}), "answer"));
    BOOST_TEST(strata.cli({"status"}).exit_code == 0);
    BOOST_TEST(mentions(strata.cli({"url", "--compute", "b-dev"}), record.string()));
    const finished removed = strata.cli({"compute", "stop", "b-dev", "--remove"});
    BOOST_TEST(removed.exit_code == 0, removed.err);
    BOOST_TEST(!fs::exists(record));
    BOOST_TEST(compute("b-dev").is_null());
  }

  // -- a copied directory
  const temp_dir copied;
  fs::create_directory(copied / "computes");
  BOOST_TEST(run({.arguments = {"cp", "-a", (strata.directory() / "computes" / "dev").string(),
                                (copied / "computes").string()}})
                 .exit_code == 0);
  const auto in_copy = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--dir", copied.path().string()});
    return strata.cli(words);
  };
  BOOST_TEST(json::parse(in_copy({"compute", "list", "--json"}).out).at(0).at("state") == "stopped");
  BOOST_TEST(in_copy({"compute", "stop", "dev", "--remove"}).exit_code == 0);
  BOOST_TEST(!fs::exists(copied / "computes" / "dev"));
  BOOST_TEST(compute("dev").at("state") == "running");

  // -- a removed source
  BOOST_TEST(strata.cli({"compute", "start", "b/main"}).exit_code == 0);
  BOOST_TEST(strata.cli({"source", "remove", "b", "--yes"}).exit_code == 4);
  BOOST_TEST(strata.cli({"source", "remove", "b", "--yes", "--force"}).exit_code == 0);
  BOOST_TEST(compute("main").is_null());
  BOOST_TEST(who({"main", "--tenant", "b"}).exit_code == 3);

  // -- words
  const finished down = strata.cli({"down"});
  BOOST_TEST(mentions(down, "note: 1 compute is still running"), down.err);
  BOOST_TEST(strata.cli({"psql", "dev", "-c", "select 1"}).exit_code == 0);
  BOOST_TEST(strata.cli({"psql", "dev", "--tenant", "b", "-c", "select 1"}).exit_code == 6);
  BOOST_TEST(mentions(strata.cli({"down", "--computes"}), "stopped 1 compute\n"));
}

BOOST_AUTO_TEST_CASE(a_root_is_opened_as_it_is_now_and_a_copy_of_a_subscriber_takes_nothing) {
  // The same cluster publishes and subscribes.
  a.execute("create table p (i int primary key); create publication p for table p", "shop");
  a.execute("create database target");
  a.execute("create table p (i int primary key)", "target");
  a.execute("select pg_create_logical_replication_slot('s', 'pgoutput')", "shop");
  a.execute("create subscription s connection '" + a.conninfo("shop") +
                "' publication p with (create_slot = false, slot_name = 's')",
            "target");
  const auto arrived = [&](int count) { return a.value("select count(*) from p", "target") == std::to_string(count); };
  a.execute("insert into p select generate_series(1, 10)", "shop");
  wait_until("the subscription works", [&] { return arrived(10); });
  // Subscriptions commit asynchronously: a commit of the usual kind flushes what was before it.
  a.execute("create table flushed ()", "target");
  strata.wait_for_lsn("a", lsn_from(a.value("select pg_current_wal_flush_lsn()")));
  strata.ask({"branch", "create", "sub", "--from", "a/main"});
  const finished started =
      strata.cli({"compute", "start", "a/sub", "--set", "max_logical_replication_workers = 4", "--set", "fsync = off"});
  BOOST_TEST(started.exit_code == 0, started.err);
  BOOST_TEST(mentions(started, "no logical replication workers"), started.out);
  BOOST_TEST(mentions(started, "held back: subscriptions target.s\n"), started.out);
  BOOST_TEST(mentions(started, "is overridden by max_logical_replication_workers=0"), started.err);
  const auto ask = [&](const std::string& sql) {
    return strata.cli({"psql", "a/sub", "--database", "target", "-c", sql, "--", "-AtqX"}).out;
  };
  BOOST_TEST(ask("select subenabled from pg_subscription") == "t\n");
  ask("alter system set max_logical_replication_workers = 8");
  BOOST_TEST(ask("select pg_reload_conf()") == "t\n");
  BOOST_TEST(ask("select count(*) from pg_stat_activity where backend_type like 'logical%'") == "0\n");
  // Whatever the source does about its own connection, the copy does not come in between.
  a.restart();
  a.execute("insert into p select generate_series(11, 40)", "shop");
  wait_until("all rows reach the subscriber", [&] { return arrived(40); });
  BOOST_TEST(ask("select count(*) from p") == "10\n");
  BOOST_TEST(strata.cli({"compute", "start", "a/main", "--set", "shared_preload_libraries = 'pg_cron'"}).exit_code ==
             2);
  // Nor does a function of its users reach another server.
  ask("create extension dblink");
  const std::string connect = "select dblink_connect('" + a.conninfo("shop") + "')";
  const finished blocked = strata.cli({"psql", "a/sub", "--database", "target", "-c", connect});
  BOOST_TEST(blocked.exit_code != 0);
  BOOST_TEST(mentions(blocked, "Permission denied"), blocked.err);
  // Armed, on a copy whose subscription does no harm.
  ask("alter subscription s disable");
  strata.ask({"compute", "stop", "sub"});
  const finished armed = strata.cli({"compute", "start", "a/sub", "--armed"});
  BOOST_TEST(armed.exit_code == 0, armed.err);
  BOOST_TEST(mentions(armed, "armed"), armed.out);
  BOOST_TEST(ask("select count(*) from pg_stat_activity where backend_type = 'logical replication launcher'") == "1\n");
  BOOST_TEST(ask(connect) == "OK\n");
  // What ALTER SYSTEM set on the copy was kept over its restart.
  BOOST_TEST(ask("show max_logical_replication_workers") == "8\n");
  strata.ask({"compute", "stop", "sub", "--remove"});

  // -- the present of a root
  strata.wait_for_lsn("a", lsn_from(a.value("select pg_current_wal_flush_lsn()")));
  BOOST_TEST(strata.cli({"compute", "start", "a/main", "--pages", "copy"}).exit_code == 0);
  BOOST_TEST(who({"a/main"}).out == "a\n");
  a.execute("insert into t values ('later')", "shop");
  strata.wait_for_lsn("a", lsn_from(a.value("select pg_current_wal_flush_lsn()")));
  const finished now = who({"a/main"});
  BOOST_TEST(now.out == "a,later\n", now.out << now.err);
  BOOST_TEST(mentions(now, "compute main is an older copy of main"), now.err);
  BOOST_TEST(who({"--compute", "main"}).out == "a\n");
  const finished url = strata.cli({"url", "a/main"});
  BOOST_TEST(url.exit_code == 0);
  BOOST_TEST(mentions(url, "older copy of main"), url.err);
  BOOST_TEST(strata.ask({"compute", "list"}).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_command_that_a_signal_ends_leaves_nothing_and_one_that_is_killed_is_listed) {
  const fs::path computes = strata.directory() / "computes";
  const auto nothing_is_left = [&](const std::string& when) {
    BOOST_TEST(strata.ask({"compute", "list"}).empty(), when);
    BOOST_TEST((!fs::exists(computes) || fs::is_empty(computes)), when);
    BOOST_TEST(postmasters_below(strata.directory()).empty(), when);
  };
  // At every stage: nothing yet, the name is taken, data arrive, Postgres starts.
  const std::vector<std::pair<std::string, std::function<bool()>>> stages{
      {"claimed", [&] { return fs::exists(computes / "x"); }},
      {"recorded", [&] { return fs::exists(computes / "x" / "compute.json"); }},
      {"restoring", [&] { return fs::exists(computes / "x" / "data" / "base"); }},
      {"starting", [&] { return fs::exists(computes / "x" / "postgres.log"); }},
      {"started", [&] { return fs::exists(computes / "x" / "data" / "postmaster.pid"); }}};
  int signal = SIGINT;
  for (const auto& [stage, reached] : stages) {
    process starting(strata.program({"compute", "start", "a/dev", "--name", "x"}));
    wait_until(stage, [&] { return reached() || !starting.running(); });
    starting.signal(signal);
    const finished said = starting.wait();
    // It may have been faster than this test.
    if (said.exit_code == 0) strata.cli({"compute", "stop", "x", "--remove"});
    BOOST_TEST((said.exit_code == 128 + signal || (said.exit_code == 0 && stage == "started")),
               stage << ": " << said.exit_code << said.out << said.err);
    nothing_is_left(stage);
    signal = signal == SIGINT ? SIGTERM : signal == SIGTERM ? SIGHUP : SIGINT;
  }
  for (const int each : {SIGTERM, SIGHUP}) {
    process temporary(strata.program({"psql", "a/main", "-c", "select pg_sleep(600)"}));
    wait_until("psql runs", [&] {
      const json all = strata.ask({"compute", "list"});
      return all.size() == 1 && all.at(0).at("state") == "running";
    });
    temporary.signal(each);
    BOOST_TEST((temporary.wait().exit_code == 128 + each));
    nothing_is_left("temporary");
  }
  const fs::path archive = strata.directory() / "base.tar";
  process exporting(strata.program({"export", "a/main", "-o", archive.string()}));
  // The archive has no name, or one beside its own, until it is complete.
  const auto is_written = [&] {
    std::error_code gone;
    for (const auto& each : fs::directory_iterator("/proc/" + std::to_string(exporting.pid()) + "/fd", gone)) {
      const std::string file = fs::read_symlink(each.path(), gone).string();
      if (file.starts_with(strata.directory().string() + "/") &&
          (file.ends_with(" (deleted)") || file.find(".part-") != std::string::npos))
        return true;
    }
    return false;
  };
  wait_until("it is written", [&] { return is_written() || !exporting.running(); });
  exporting.signal(SIGTERM);
  BOOST_TEST((exporting.wait().exit_code == 128 + SIGTERM));
  for (const auto& each : fs::directory_iterator(strata.directory()))
    BOOST_TEST(!each.path().filename().string().starts_with("base.tar"), each.path());
  // A copy that was there before keeps what was written on it.
  strata.ask({"compute", "start", "a/dev", "--name", "x"});
  BOOST_TEST(strata.cli({"psql", "--compute", "x", "-c", "create table kept (i int)"}).exit_code == 0);
  strata.ask({"compute", "stop", "x"});
  process again(strata.program({"compute", "start", "a/dev", "--name", "x"}));
  wait_until("it starts", [&] { return fs::exists(computes / "x" / "data" / "postmaster.pid"); });
  again.signal(SIGINT);
  if (again.wait().exit_code == 0) strata.ask({"compute", "stop", "x"});
  BOOST_TEST(postmasters_below(strata.directory()).empty());
  BOOST_TEST(compute("x").at("state") == "stopped");
  strata.ask({"compute", "start", "a/dev", "--name", "x"});
  BOOST_TEST(strata.cli({"psql", "--compute", "x", "-c", "table kept"}).exit_code == 0);
  strata.ask({"compute", "stop", "x", "--remove"});

  // Killed, it can't do anything; what is left is told, and its name can be used again.
  process killed(strata.program({"compute", "start", "a/dev", "--name", "x"}));
  wait_until("it starts", [&] { return fs::exists(computes / "x" / "data" / "base"); });
  killed.signal(SIGKILL);
  killed.wait();
  BOOST_TEST(compute("x").at("state") == "interrupted");
  BOOST_TEST(mentions(strata.cli({"compute", "list"}), "strata compute stop x --remove"));
  const finished taken = strata.cli({"compute", "start", "a/dev", "--name", "x"});
  BOOST_TEST(taken.exit_code == 0, taken.err);
  BOOST_TEST(strata.cli({"compute", "stop", "x", "--remove"}).exit_code == 0);
  nothing_is_left("killed");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
