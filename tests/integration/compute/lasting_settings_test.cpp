#include <sys/types.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/integration/compute/branch_fixture.hpp"
#include "tests/support/page_comparison.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

/// A database of its own with one compute.
struct with_database {
  with_database() {
    strata.start();
    strata.ask({"create", "shop", "--pg", "15"});
  }
  json start(const std::string& branch = "main", std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"compute", "start", branch};
    words.insert(words.end(), more.begin(), more.end());
    return strata.ask(std::move(words));
  }
  void stop(const std::string& name = "main") const { strata.ask({"compute", "stop", name}); }
  json now(const std::string& name = "main") const {
    for (const auto& each : strata.ask({"compute", "list"}))
      if (each.at("name") == name) return each;
    throw std::runtime_error("there is no compute " + name);
  }
  static std::string value(const json& compute, const std::string& sql) {
    return sql_session(compute.at("uri")).value(sql);
  }
  static void execute(const json& compute, const std::string& sql) { sql_session(compute.at("uri")).execute(sql); }
  /// Nothing while it restarts.
  static std::optional<std::string> try_value(const json& compute, const std::string& sql) {
    try {
      return value(compute, sql);
    } catch (const std::runtime_error&) {
      return std::nullopt;
    }
  }
  [[nodiscard]] json stored(const std::string& branch = "main") const {
    return strata.api("GET", strata.timeline_path("shop", branch) + "/side_files");
  }
  /// When the settings were last stored, as far as the server says.
  [[nodiscard]] std::uint64_t number_of(const std::string& file, const std::string& branch = "main") const {
    const json files = stored(branch).at("files");
    for (const auto& each : files)
      if (each.at("name") == file) return each.at("number");
    return 0;
  }
  void alter(const json& compute, const std::string& setting) const {
    const auto before = number_of("postgresql.auto.conf");
    execute(compute, "alter system " + setting);
    wait_until(
        "the change is stored", [&] { return number_of("postgresql.auto.conf") > before; }, 5s);
  }
  /// `compute start` as a person sees it.
  finished start_text(const std::string& branch = "main") const {
    finished made = strata.cli({"compute", "start", branch});
    BOOST_TEST(made.exit_code == 0, made.out + made.err);
    return made;
  }

  strata_server strata{{.arguments = {"--safekeepers", "3"}}};
};

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
pid_t postmaster_of(const json& compute) {
  std::ifstream file(compute.at("data_directory").get<std::string>() + "/postmaster.pid");
  pid_t pid = 0;
  file >> pid;
  return pid;
}

BOOST_FIXTURE_TEST_SUITE(integration_compute_lasting_settings, with_database)

BOOST_AUTO_TEST_CASE(settings_statistics_and_prewarm_list_are_there_after_twenty_kills) {
  json compute = start();
  execute(compute, "create extension pg_prewarm; create table rows as select generate_series(1, 1000) as id");
  alter(compute, "set shared_preload_libraries = 'pg_prewarm'");
  stop();
  compute = start();
  execute(compute, "insert into rows select generate_series(1, 77)");
  BOOST_TEST(value(compute, "select count(*) from rows") == "1077");
  // Statistics are written at a clean stop, the list by its worker.
  stop();
  BOOST_TEST(number_of("pg_stat/pgstat.stat") > 0u);
  BOOST_TEST(number_of("autoprewarm.blocks") > 0u);
  compute = start();
  const std::string inserted = "select n_tup_ins from pg_stat_user_tables where relname = 'rows'";
  std::map<std::string, std::string> expected;
  for (int round = 0; round < 20; ++round) {
    // The filler and the server end no incarnation: what is set then is seen after the next kill.
    const bool ends_postgres = round % 4 < 2;
    const std::string setting = ends_postgres ? "work_mem" : "maintenance_work_mem";
    expected[setting] = std::to_string(2000 + round) + "kB";
    alter(compute, "set " + setting + " = '" + expected[setting] + "'");
    const std::string prewarm = compute.at("data_directory").get<std::string>() + "/autoprewarm.blocks";
    switch (round % 4) {
      case 0: {
        const pid_t postmaster = postmaster_of(compute);
        ::kill(compute.at("agent_pid").get<pid_t>(), SIGKILL);
        wait_until("its Postgres is gone", [&] { return !exists(postmaster); });
        compute = start();
        break;
      }
      case 1: {
        const int before = now().at("incarnations");
        ::kill(postmaster_of(compute), SIGKILL);
        wait_until("Postgres runs again",
                   [&] { return now().at("incarnations") > before && now().at("state") == "running"; });
        compute = now();
        break;
      }
      case 2: {
        const json listed = now();
        if (const auto pages = listed.find("page_counts"); pages != listed.end() && pages->at("filler_pid") != 0)
          ::kill(pages->at("filler_pid").get<pid_t>(), SIGKILL);
        break;
      }
      case 3:
        strata.kill();
        strata.start();
        break;
    }
    for (const auto& [name, is] : expected)
      if (ends_postgres)
        BOOST_TEST(value(compute, "select setting || unit from pg_settings where name = '" + name + "'") == is);
    BOOST_TEST(value(compute, "show shared_preload_libraries") == "pg_prewarm");
    BOOST_TEST(std::stoll(value(compute, inserted)) >= 1077, "after kill " << round);
    BOOST_TEST(fs::exists(prewarm));
  }
}

BOOST_AUTO_TEST_CASE(settings_are_of_a_branch_and_a_time_and_bad_ones_keep_nobody_from_starting) {
  json compute = start();
  execute(compute, "create table rows as select 1 as id");
  alter(compute, "set work_mem = '5MB'");
  execute(compute, "insert into rows values (2)");
  const std::string then = value(compute, "select pg_current_wal_insert_lsn()");
  execute(compute, "insert into rows values (3)");
  wait_until("the server has it",
             [&] { return lsn_from(strata.timeline("shop").at("last_record_lsn")) > lsn_from(then); });
  wait_until("the commit position of the agent is past it",
             [&] { return lsn_from(now().at("commit_lsn")) > lsn_from(then); });
  alter(compute, "set work_mem = '6MB'");
  strata.ask({"branch", "create", "early", "--from", "main@" + then});
  strata.ask({"branch", "create", "late"});
  // By hand, and in place of a line of Strata's.
  const fs::path conf = compute.at("data_directory").get<std::string>() + "/postgresql.conf";
  std::ofstream(conf, std::ios::app) << "maintenance_work_mem = 33MB\nshared_buffers = '48MB'\n";
  wait_until(
      "the lines are stored", [&] { return number_of("postgresql.conf") > 0; }, 5s);
  stop();
  compute = start();
  BOOST_TEST(value(compute, "show maintenance_work_mem") == "33MB");
  BOOST_TEST(value(compute, "show shared_buffers") == "48MB");
  BOOST_TEST(value(compute, "show work_mem") == "6MB");
  BOOST_TEST(value(start("early"), "show work_mem") == "5MB");
  const json late = start("late");
  BOOST_TEST(value(late, "show work_mem") == "6MB");
  BOOST_TEST(value(late, "show maintenance_work_mem") != "33MB");
  BOOST_TEST(value(start("main@" + then, {"--name", "reader"}), "show work_mem") == "5MB");
  BOOST_TEST(value(start("main@" + then, {"--name", "copy", "--pages", "copy"}), "show work_mem") == "5MB");

  // A missing library is left out, what acts on others and what is forced too.
  alter(compute, "set shared_preload_libraries = 'pg_prewarm', 'not_installed_here'");
  stop();
  const finished without = start_text();
  BOOST_TEST(mentions(without.out + without.err, "not_installed_here is not loaded: it is not installed here"),
             without.out + without.err);
  compute = now();
  BOOST_TEST(value(compute, "show shared_preload_libraries") == "pg_prewarm");
  alter(compute, "set fsync = on");
  alter(compute, "set max_logical_replication_workers = 4");
  // There is no certificate.
  alter(compute, "set ssl = on");
  stop();
  const finished fell_back = start_text();
  BOOST_TEST(mentions(fell_back.out + fell_back.err, "the last good ones are used"), fell_back.out + fell_back.err);
  BOOST_TEST(mentions(fell_back.out + fell_back.err, "server.crt"), fell_back.out + fell_back.err);
  compute = now();
  BOOST_TEST(value(compute, "show ssl") == "off");
  BOOST_TEST(value(compute, "show work_mem") == "6MB");
  BOOST_TEST(value(compute, "show fsync") == "off");
  BOOST_TEST(compute.at("notes").dump().find("the last good ones are used") != std::string::npos);
  // Nothing but a change of the user takes the place of what the user wrote.
  BOOST_TEST(mentions(stored().dump(), "postgresql.auto.conf"));
  // It is not in the settings that are used instead, so nothing but the user's wish changes.
  alter(compute, "reset ssl");
  stop();
  const finished good = start_text();
  BOOST_TEST(!mentions(good.out + good.err, "good ones"), good.out + good.err);
  BOOST_TEST(value(now(), "show work_mem") == "6MB");
}

BOOST_AUTO_TEST_CASE(a_branch_with_logical_wal_decodes_its_changes_and_its_pages_are_the_same) {
  strata.ask({"branch", "create", "feed", "--wal-level", "logical"});
  BOOST_TEST(strata.timeline("shop", "feed").at("wal_level") == "logical");
  json compute = start("feed", {"--set", "autovacuum = off"});
  BOOST_TEST(value(compute, "show wal_level") == "logical");
  execute(compute,
          "create table rows (id int primary key, filler text);"
          "alter table rows replica identity full");
  execute(compute, "select pg_create_logical_replication_slot('changes', 'test_decoding')");
  execute(compute, "select pg_create_logical_replication_slot('output', 'pgoutput')");
  execute(compute, "create publication everything for all tables");
  execute(compute, "insert into rows select i, repeat(md5(i::text), 100) from generate_series(1, 2000) i");
  execute(compute, "update rows set filler = filler || 'x' where id % 3 = 0; delete from rows where id % 5 = 0");
  execute(compute,
          "begin; savepoint a; insert into rows values (9000, 'no'); rollback to a; "
          "insert into rows values (9001, 'yes'); commit");
  execute(compute,
          "truncate rows; insert into rows select i, 'again' from generate_series(1, 500) i; "
          "alter table rows add column more int default 7");
  execute(compute, "vacuum full rows");
  execute(compute, "update rows set more = 8");
  execute(compute, "select pg_logical_emit_message(true, 'note', 'word')");
  const std::string changes =
      value(compute, "select string_agg(data, E'\\n') from pg_logical_slot_get_changes('changes', null, null)");
  BOOST_TEST(mentions(changes, "table public.rows: INSERT: id[integer]:9001"));
  BOOST_TEST(!mentions(changes, "id[integer]:9000 "));
  BOOST_TEST(mentions(changes, "old-key: id[integer]:"));
  BOOST_TEST(std::stoll(value(compute,
                              "select count(*) from pg_logical_slot_get_binary_changes('output', null, null, "
                              "'proto_version', '1', 'publication_names', 'everything')")) > 2000);
  // Standby and reader of such a branch.
  const json standby = start("feed", {"--standby"});
  const std::string rows = value(compute, "select count(*) || ' ' || sum(more) from rows");
  wait_until("the standby has it",
             [&] { return try_value(standby, "select count(*) || ' ' || sum(more) from rows") == rows; });
  execute(compute, "checkpoint");
  const finished ended = strata.cli({"compute", "stop", "feed"});
  BOOST_TEST(mentions(ended.out + ended.err, "logical slots changes, output ended with it"), ended.out + ended.err);

  compute = start("feed");
  BOOST_TEST(value(compute, "select count(*) || ' ' || sum(more) from rows") == rows);
  BOOST_TEST(value(compute, "select count(*) from pg_replication_slots where slot_type = 'logical'") == "0");
  // A crash names them afterwards.
  execute(compute, "select pg_create_logical_replication_slot('second', 'test_decoding')");
  execute(compute, "insert into rows values (7000, 'between')");
  const int before = now("feed").at("incarnations");
  ::kill(postmaster_of(compute), SIGKILL);
  wait_until("Postgres runs again",
             [&] { return now("feed").at("incarnations") > before && now("feed").at("state") == "running"; });
  BOOST_TEST(mentions(now("feed").at("notes").dump(), "logical slots second ended"), now("feed").dump());
  BOOST_TEST(value(compute, "select count(*) from rows") == "501");

  // Every page of the writer's directory against the server's.
  const std::string data = now("feed").at("data_directory");
  execute(compute, "checkpoint");
  const std::string head = value(compute, "select pg_current_wal_flush_lsn()");
  wait_until("the server has it", [&] {
    return lsn_from(strata.timeline("shop", "feed").at("last_record_lsn")) >= before_page_header(lsn_from(head));
  });
  wait_until("the directory is complete", [&] { return now("feed").at("page_counts").at("missing") == 0; });
  const temp_dir place;
  const std::string copy = place / "copy";
  const finished exported =
      run({.arguments = {"sh", "-c",
                         "mkdir '" + copy + "' && STRATA_DIR='" + strata.directory().string() + "' '" +
                             strata_binary().string() + "' export feed | tar -x -C '" + copy + "'"}});
  BOOST_TEST_REQUIRE(exported.exit_code == 0, exported.err);
  const auto report = compare_directories(data, copy);
  BOOST_TEST(report.difference_count == 0u, report.text());
  BOOST_TEST(report.pages > 500u, report.text());

  // And back.
  strata.ask({"branch", "wal-level", "feed", "replica"});
  strata.ask({"compute", "stop", "feed"});
  compute = start("feed");
  BOOST_TEST(value(compute, "show wal_level") == "replica");
  BOOST_TEST(value(compute, "select count(*) from rows") == "501");
  wait_until("the standby follows", [&] { return try_value(standby, "select count(*) from rows") == "501"; });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
