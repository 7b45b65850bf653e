#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <set>
#include <tuple>
#include <vector>

#include "pg/files/start_segment.hpp"
#include "tests/quorum/bank.hpp"
#include "tests/support/quorum_cluster.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata;
using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int unavailable = 6;  // the exit code

/// A branch that is written to, with a table.
struct written_branch {
  written_branch() {
    // It commits while the server stands still, which fills in no page then.
    cluster.start_compute("dev", {"--pages", "copy"});
    execute("CREATE TABLE t (i int, filler text)");
  }

  void execute(const std::string& sql) const { sql_session(cluster.conninfo()).execute(sql); }
  /// The end of the WAL that was acknowledged, which is that of a record or of the header behind it.
  [[nodiscard]] core::lsn acknowledged() const {
    return before_page_header(lsn_from(sql_session(cluster.conninfo()).value("SELECT pg_current_wal_flush_lsn()")));
  }
  [[nodiscard]] core::lsn head() const { return lsn_from(strata.timeline("s", "dev").at("last_record_lsn")); }
  [[nodiscard]] core::lsn branched_at(const std::string& name) const {
    return lsn_from(strata.timeline("s", name).at("ancestor_lsn"));
  }
  /// What was acknowledged and the server has not got, because it stands still meanwhile.
  [[nodiscard]] core::lsn commit_behind_the_servers_back(const std::string& sql) {
    ::kill(strata.pid(), SIGSTOP);
    execute(sql);
    const core::lsn at = acknowledged();
    ::kill(strata.pid(), SIGCONT);
    return at;
  }
  ~written_branch() { ::kill(strata.pid(), SIGCONT); }

  [[nodiscard]] finished create(const std::string& name) const {
    return strata.cli({"branch", "create", name, "--from", "dev"});
  }

  quorum_cluster cluster;
  strata_server& strata = cluster.strata();
  const std::string path = strata.timeline_path("s", "dev");
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(quorum_head, written_branch)

BOOST_AUTO_TEST_CASE(the_head_of_a_branch_has_every_acknowledged_commit) {
  const std::string many = "INSERT INTO t SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 20000) i";
  for (int round = 1; round <= 3; ++round) {
    const std::string name = "n" + std::to_string(round);
    const core::lsn acknowledged = commit_behind_the_servers_back(many);
    const finished made = create(name);
    BOOST_TEST_REQUIRE(made.exit_code == 0, made.out << made.err);
    BOOST_TEST((branched_at(name) >= acknowledged));
  }
  BOOST_TEST(branch_compute(strata, "n3").value("SELECT count(*) FROM t") == "60000");

  // The same over the API, without the patience of the command line.
  core::lsn acknowledged = commit_behind_the_servers_back(many);
  const json api =
      strata.api("POST", strata.timeline_path("s", "dev").substr(0, path.rfind('/')),
                 {{"name", "n4"}, {"ancestor_timeline_id", strata.timeline("s", "dev").at("timeline_id")}});
  BOOST_TEST((lsn_from(api.at("ancestor_lsn")) >= acknowledged));
  acknowledged = commit_behind_the_servers_back(many);
  const fs::path archive = strata.directory() / "head.tar";
  const json exported = strata.ask({"export", "dev", "-o", archive.string()});
  BOOST_TEST((lsn_from(exported.at("lsn")) >= acknowledged));

  // Nobody writes, and one safekeeper is away: a majority is enough.
  BOOST_TEST_REQUIRE(strata.cli({"compute", "stop", "dev"}).exit_code == 0);
  cluster.signal_safekeeper(1, SIGSTOP);
  const finished idle = create("idle");
  BOOST_TEST(idle.exit_code == 0, idle.out << idle.err);
  cluster.signal_safekeeper(2, SIGSTOP);
  const finished alone = create("alone");
  BOOST_TEST(alone.exit_code == unavailable);
  BOOST_TEST(has(alone.err, "1 of 3 safekeepers answered"), alone.err);
}

BOOST_AUTO_TEST_CASE(a_server_that_was_put_back_to_an_older_state_says_so) {
  execute("INSERT INTO t VALUES (1, 'saved')");
  const core::lsn saved = acknowledged();
  wait_until("the server has it", [&] { return head() >= saved; });
  strata.api("PUT", path + "/checkpoint");
  BOOST_TEST_REQUIRE(strata.cli({"compute", "stop", "dev"}).exit_code == 0);
  strata.stop();
  const fs::path backup = strata.directory() / "backup";
  fs::create_directory(backup);
  for (const char* part : {"metadata", "tenants"})
    fs::copy(strata.directory() / part, backup / part, fs::copy_options::recursive);
  strata.start();
  const core::lsn put_back_to = head();

  cluster.start_compute();
  for (int i = 0; i < 4; ++i) execute("INSERT INTO t VALUES (2, 'lost'); SELECT pg_switch_wal()");
  execute("INSERT INTO t VALUES (3, 'lost')");
  const core::lsn lost = acknowledged();
  // The safekeepers keep no WAL that the server has confirmed, nor does their object storage.
  const json timeline = strata.timeline("s", "dev");
  const fs::path stored = strata.directory() / "wal_backup" / timeline.at("tenant_id").get<std::string>() /
                          timeline.at("timeline_id").get<std::string>();
  const auto oldest_stored = [&] {
    std::set<std::string> names;
    if (fs::exists(stored))
      for (const auto& each : fs::directory_iterator(stored)) names.insert(each.path().filename());
    return names.empty() ? std::string("F") : *names.begin();
  };
  constexpr std::uint32_t segment_size = 16u << 20;
  const std::string needed =
      pg::files::wal_segment_name(1, put_back_to - put_back_to.value % segment_size, segment_size);
  wait_until(
      "the WAL is removed",
      [&] {
        strata.api("PUT", path + "/checkpoint");
        bool removed = oldest_stored() > needed;
        for (const int id : {1, 2, 3}) {
          std::ignore = cluster.safekeeper_api(id, "POST", path + "/checkpoint");
          const json its = cluster.safekeeper_api(id, "GET", path);
          removed &= lsn_from(its.at("wal_begin_lsn")) >= put_back_to + segment_size;
        }
        return removed;
      },
      2min);
  BOOST_TEST_REQUIRE(strata.cli({"compute", "stop", "dev"}).exit_code == 0);
  strata.stop();
  for (const char* part : {"metadata", "tenants"}) {
    fs::remove_all(strata.directory() / part);
    fs::copy(backup / part, strata.directory() / part, fs::copy_options::recursive);
  }
  strata.start();

  const finished refused = create("silent");
  BOOST_TEST(refused.exit_code == unavailable, refused.out << refused.err);
  BOOST_TEST(has(refused.err, "may have been acknowledged by the safekeepers"), refused.err);
  BOOST_TEST(has(refused.err, core::to_string(put_back_to) + " has arrived"), refused.err);
  BOOST_TEST(strata.cli({"export", "dev", "-o", (strata.directory() / "x.tar").string()}).exit_code == unavailable);

  wait_until("the branch is known to miss WAL", [&] { return strata.timeline("s", "dev").contains("wal_gap"); });
  const json gap = strata.timeline("s", "dev").at("wal_gap");
  BOOST_TEST((lsn_from(gap.at("from_lsn")) == put_back_to));
  BOOST_TEST((lsn_from(gap.at("to_lsn")) > put_back_to && lsn_from(gap.at("to_lsn")) <= lost));
  const std::string last_error = "the WAL from " + gap.at("from_lsn").get<std::string>() + " to " +
                                 gap.at("to_lsn").get<std::string>() + " is missing on all its safekeepers";
  for (const auto& words : {std::vector<std::string>{"status"}, {"branch", "show", "dev"}}) {
    const finished shown = strata.cli(words);
    BOOST_TEST(has(shown.out, last_error), shown.out << shown.err);
  }
  BOOST_TEST(has(strata.cli({"branch", "list"}).out, "with errors"));
  const finished compute = strata.cli({"compute", "start", "dev"});
  BOOST_TEST(compute.exit_code != 0);
  BOOST_TEST(has(compute.err, last_error), compute.err);

  // What is here is not lost.
  strata.ask({"branch", "create", "rescued", "--from", "dev@" + core::to_string(put_back_to)});
  BOOST_TEST(branch_compute(strata, "rescued").value("SELECT string_agg(filler, ',') FROM t") == "saved");
}

BOOST_AUTO_TEST_CASE(safekeepers_that_were_put_back_to_an_older_state_get_no_writer) {
  const auto stop_all = [&] {
    std::vector<pid_t> processes;
    for (const int id : {1, 2, 3}) processes.push_back(cluster.safekeeper(id));
    strata.stop();
    for (const pid_t each : processes) ::kill(each, SIGTERM);
    for (const pid_t each : processes) wait_until("it has ended", [&] { return ::kill(each, 0) != 0; });
  };
  execute("INSERT INTO t VALUES (1, 'saved')");
  BOOST_TEST_REQUIRE(strata.cli({"compute", "stop", "dev"}).exit_code == 0);
  stop_all();
  const fs::path safekeepers = strata.directory() / "safekeepers";
  const fs::path backup = strata.directory() / "backup";
  fs::copy(safekeepers, backup, fs::copy_options::recursive);
  strata.start();
  cluster.start_compute();
  execute("INSERT INTO t VALUES (2, 'later')");
  const core::lsn later = acknowledged();
  wait_until("the server has it", [&] { return head() >= later; });
  strata.api("PUT", path + "/checkpoint");
  BOOST_TEST_REQUIRE(strata.cli({"compute", "stop", "dev"}).exit_code == 0);
  stop_all();
  fs::remove_all(safekeepers);
  fs::copy(backup, safekeepers, fs::copy_options::recursive);
  strata.start();

  const core::lsn before = head();
  const finished refused = strata.cli({"compute", "start", "dev"});
  BOOST_TEST(refused.exit_code == 1);
  BOOST_TEST(has(refused.err, "have lost acknowledged WAL"), refused.err);
  BOOST_TEST((head() == before));
  strata.ask({"branch", "create", "rescued", "--from", "dev@" + core::to_string(before)});
  BOOST_TEST(branch_compute(strata, "rescued").value("SELECT string_agg(filler, ',' ORDER BY i) FROM t") ==
             "saved,later");
}

BOOST_AUTO_TEST_SUITE_END()
