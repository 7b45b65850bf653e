#include <boost/test/unit_test.hpp>
#include <deque>
#include <fstream>
#include <set>

#include "tests/integration/major_history.hpp"
#include "tests/support/contents.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/strata_server.hpp"

using namespace strata::tests;

namespace {

namespace fs = std::filesystem;

connect_to connect(const postgres_cluster& cluster) {
  return [&](const std::string& database) { return cluster.conninfo(database); };
}
connect_to connect(const branch_compute& compute) {
  return [&](const std::string& database) { return compute.conninfo(database); };
}

void check_equal(const cluster_contents& then, const cluster_contents& now, const std::string& where) {
  const auto found = differences(then, now);
  std::string text;
  for (const auto& line : found) text += "\n  " + line;
  BOOST_TEST(found.empty(), where << text);
}

struct remembered {
  std::string when;
  cluster_contents contents;
};

remembered remember(postgres_cluster& source, bool by_time) {
  const moment now = take_moment(connect(source));
  // A branch that was taken too late would hold this.
  source.execute("CREATE TABLE after_" + std::to_string(now.at.value) + " (x int)");
  return {by_time ? now.time : strata::core::to_string(now.at), now.snapshot->read()};
}

void check_indexes(const std::string& conninfo) {
  sql_session session(conninfo);
  for (const std::string& error : index_errors(session)) BOOST_ERROR(error);
}

void check_major(const branch_compute& compute, int major) {
  BOOST_TEST(std::stoi(compute.value("SELECT current_setting('server_version_num')")) / 10000 == major);
}

void check_compute(const strata_server& strata, const std::string& branch, const remembered& then, int major) {
  const branch_compute compute(strata, branch);
  check_major(compute, major);
  check_equal(then.contents, contents_of(connect(compute)), branch + " against the source");
  check_indexes(compute.conninfo());
  BOOST_TEST(compute.value("SELECT count(*) FROM volatile") == "0");
  compute.execute("COMMIT PREPARED 'kept'");
  compute.execute("INSERT INTO item (word) SELECT 'here' FROM generate_series(1, 500)");
  BOOST_TEST(compute.value("SELECT count(*) FROM account WHERE note = 'prepared'") == "31");
  check_indexes(compute.conninfo());
}

/// A stock server on an export.
void check_export(const strata_server& strata, const std::string& branch, const remembered& then) {
  temp_dir home;
  const fs::path archive = home / "export.tar";
  const fs::path data = home / "data";
  const finished exported = strata.cli({"export", branch, "-o", archive.string()});
  BOOST_TEST_REQUIRE(exported.exit_code == 0, exported.err);
  fs::create_directory(data);
  BOOST_TEST_REQUIRE(run({.arguments = {"tar", "-xf", archive.string(), "-C", data.string()}}).exit_code == 0);
  std::ofstream(data / "pg_hba.conf") << "host all all 127.0.0.1/32 trust\n";
  const auto copy = postgres_cluster::adopt(data, {"autovacuum = off", "fsync = off"});
  copy->start();
  BOOST_TEST(copy->log().find("was not properly shut down") == std::string::npos);
  check_equal(then.contents, contents_of(connect(*copy)), "the export of " + branch + " against the source");
  check_indexes(copy->conninfo());
}

int major_of(const strata_server& strata, const std::string& source, const std::string& branch) {
  return strata.timeline(source, branch).at("pg_version");
}

}  // namespace

STRATA_CASE_FOR_MAJORS(integration_majors, a_source_is_followed_branched_exported_and_computed,
                       minors::newest_and_oldest) {
  postgres_cluster source({.data_checksums = install.major % 2 == 0,
                           .config = {"max_prepared_transactions = 4", "autovacuum = off", "shared_buffers = 32MB"},
                           .install = install});
  source.start();
  major_history history(source);
  strata_server strata;
  strata.start();
  history.before_the_backup();
  strata.add_source("s", source.conninfo());
  strata.set_options("s", {{"checkpoint_distance", "2 MiB"}, {"compaction_threshold", 3}, {"compaction_period", "1s"}});

  history.first_half();
  const remembered by_lsn = remember(source, false);
  history.second_half();
  const remembered by_time = remember(source, true);
  history.ending();
  const remembered at_end = remember(source, false);
  strata.wait_for_lsn("s", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));

  strata.ask({"branch", "create", "past", "--from", "main@" + by_lsn.when});
  strata.ask({"branch", "create", "later", "--from", "main@" + by_time.when});
  strata.ask({"branch", "create", "of_past", "--from", "past"});
  for (const char* branch : {"main", "past", "later", "of_past"})
    BOOST_TEST(major_of(strata, "s", branch) == install.major, branch);
  check_compute(strata, "past", by_lsn, install.major);
  check_compute(strata, "of_past", by_lsn, install.major);
  check_export(strata, "later", by_time);
  check_export(strata, "main@" + at_end.when, at_end);
}

BOOST_AUTO_TEST_SUITE(integration_majors, *boost::unit_test::precondition(every_major_is_installed))

BOOST_AUTO_TEST_CASE(one_server_follows_sources_of_all_majors_and_runs_branches_of_them) {
  strata_server strata;
  strata.start();
  struct followed {
    explicit followed(const postgres_install& install)
        : name("pg" + std::to_string(install.major)), cluster({.config = {"autovacuum = off"}, .install = install}) {}
    std::string name;
    postgres_cluster cluster;
    remembered then{};
  };
  std::deque<followed> sources;
  for (const int major : all_majors) {
    BOOST_TEST_REQUIRE(install_of(major) != nullptr, "Postgres " << major << " is not installed");
    followed& source = sources.emplace_back(*install_of(major));
    source.cluster.start();
    source.cluster.execute("CREATE TABLE t (id serial PRIMARY KEY, source text)");
    strata.add_source(source.name, source.cluster.conninfo());
  }
  const auto write = [](followed& source, const std::string& rows) {
    source.cluster.execute("INSERT INTO t (source) SELECT '" + source.name + "' FROM generate_series(1, " + rows + ")");
  };
  for (followed& source : sources) write(source, "1000");
  for (followed& source : sources) source.then = remember(source.cluster, source.cluster.install().major % 2 == 0);
  for (followed& source : sources) write(source, "500");

  std::deque<branch_compute> computes;
  for (followed& source : sources) {
    const std::string branch = "past_" + source.name;
    strata.wait_for_lsn(source.name, lsn_from(source.cluster.value("SELECT pg_current_wal_flush_lsn()")));
    strata.ask({"branch", "create", branch, "--from", source.name + "/main@" + source.then.when});
    BOOST_TEST(major_of(strata, source.name, branch) == source.cluster.install().major);
    computes.emplace_back(strata, source.name + "/" + branch);
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    check_major(computes[i], sources[i].cluster.install().major);
    check_equal(sources[i].then.contents, contents_of(connect(computes[i])), sources[i].name);
  }
  std::set<int> running;
  for (const auto& each : strata.ask({"compute", "list"})) running.insert(each.at("pg_version").get<int>());
  BOOST_TEST(running == std::set<int>(std::begin(all_majors), std::end(all_majors)), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
