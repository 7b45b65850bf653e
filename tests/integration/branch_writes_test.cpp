#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/contents.hpp"
#include "tests/support/page_comparison.hpp"
#include "tests/support/safekeeper_stand_in.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/workload/wal_workload.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_branch_writes)

namespace {

namespace core = strata::core;
namespace fs = std::filesystem;
using nlohmann::json;

std::vector<std::string> source_config() {
  std::vector<std::string> config = wal_workload_config;
  config.insert(config.end(), {"shared_buffers = 64MB", "wal_compression = on"});
  return config;
}

connect_to connect(const postgres_cluster& cluster) {
  return [&](const std::string& database) { return cluster.conninfo(database); };
}
connect_to connect(const branch_compute& compute) {
  return [&](const std::string& database) { return compute.conninfo(database); };
}

void check_equal(const cluster_contents& then, const cluster_contents& now, const std::string& where) {
  std::string text;
  for (const auto& each : differences(then, now)) text += "\n  " + each;
  BOOST_TEST(text.empty(), where << text);
}

/// A branch that a Postgres outside of strata writes to: it stands for the safekeeper that has its WAL, too.
class written_branch {
 public:
  written_branch(const strata_server& strata, std::string name) : strata_(strata), name_(std::move(name)) {
    start_ = at("last_record_lsn");
    BOOST_TEST(start_.value == at("ancestor_lsn").value);
    const fs::path archive = place_.path() / "data.tar";
    const fs::path directory = place_.path() / "data";
    const finished exported = strata_.cli({"export", name_ + "@" + core::to_string(start_), "-o", archive});
    BOOST_REQUIRE_MESSAGE(exported.exit_code == 0, exported.out << exported.err);
    fs::create_directory(directory);
    BOOST_REQUIRE(run({.arguments = {"tar", "-x", "-f", archive, "-C", directory}}).exit_code == 0);
    std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n"
                                                "host replication all 127.0.0.1/32 trust\n";
    postgres_ = postgres_cluster::adopt(directory, {"fsync = off", "wal_keep_size = 1GB"});
    postgres_->start();
    keeper_ = std::make_unique<safekeeper_stand_in>(postgres_->port());
    follow();
  }

  postgres_cluster& postgres() { return *postgres_; }
  safekeeper_stand_in& keeper() { return *keeper_; }
  [[nodiscard]] core::lsn start() const { return start_; }
  [[nodiscard]] json timeline() const { return strata_.timeline("s", name_); }
  [[nodiscard]] core::lsn at(const std::string& field) const { return lsn_from(timeline().at(field)); }

  /// Until strata has all that was written.
  void wait(std::chrono::milliseconds limit = std::chrono::minutes(2)) {
    wait_for(lsn_from(postgres_->value("SELECT pg_current_wal_flush_lsn()")), limit);
  }
  void wait_for(core::lsn wanted, std::chrono::milliseconds limit = std::chrono::minutes(2)) {
    wanted = before_page_header(wanted);
    wait_until(
        name_ + " has WAL up to " + core::to_string(wanted) + ": " + timeline().dump(),
        [&] { return at("last_record_lsn") >= wanted; }, limit);
  }
  /// Every page of the stopped server against the branch's head.
  void compare_pages(const comparison_options& options = {}) {
    pagestream_client client(strata_.page_port(), strata_.tenant_id("s"), timeline().at("timeline_id"), 3);
    const auto report = compare_with_files(postgres_->data_directory(), client, at("last_record_lsn"), options);
    BOOST_TEST(report.difference_count == 0u, report.text());
    BOOST_TEST(report.pages > 1000u, report.text());
    BOOST_TEST_MESSAGE(report.text());
  }

 private:
  /// The stand-in is the first configuration.
  void follow() {
    const std::string path = strata_.timeline_path("s", name_) + "/safekeepers";
    BOOST_TEST(strata_.http("GET", path).status == 404);
    const json members = json::array({{{"id", 1}, {"host", "127.0.0.1"}, {"port", keeper_->port()}}});
    const json assigned = strata_.api("PUT", path, {{"generation", 1}, {"members", members}});
    BOOST_TEST(assigned.at("members") == members);
    BOOST_TEST(assigned.at("start_lsn") == core::to_string(start_));
    BOOST_TEST(strata_.api("GET", path) == assigned);
    BOOST_TEST(strata_.api("POST", path) == assigned);
  }

  const strata_server& strata_;
  std::string name_;
  temp_dir place_;
  core::lsn start_;
  std::unique_ptr<postgres_cluster> postgres_;
  std::unique_ptr<safekeeper_stand_in> keeper_;
};

struct server_fixture {
  explicit server_fixture(bool data_checksums = true)
      : source({.data_checksums = data_checksums, .config = source_config()}) {
    source.start();
    BOOST_REQUIRE(source.run("pgbench", {"-i", "-s", "2", "-q"}).exit_code == 0);
    source.execute("CREATE DATABASE other");
    strata.start();
    strata.add_source("s", source.conninfo());
    strata.wait_for_lsn("s", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));
    strata.set_options("s",
                       {{"checkpoint_distance", "4 MiB"}, {"compaction_threshold", 3}, {"compaction_period", "1s"}});
    strata.ask({"branch", "create", "work", "--from", "main"});
  }
  postgres_cluster source;
  strata_server strata;
};

void check_every_page(bool data_checksums) {
  server_fixture of(data_checksums);
  written_branch branch(of.strata, "work");
  postgres_cluster& writer = branch.postgres();
  const cluster_contents of_source = contents_of(connect(of.source));
  run_wal_workload(writer);  // restarts the server, too
  BOOST_TEST(writer.run("pgbench", {"-n", "-c", "4", "-t", "300"}).exit_code == 0);
  writer.execute("CREATE DATABASE by_file STRATEGY = file_copy TEMPLATE other; ");
  writer.execute("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 3000) i", "by_file");
  writer.execute("DROP DATABASE other");
  writer.execute("VACUUM FULL pg_class");
  writer.execute("VACUUM");
  writer.execute("TRUNCATE pgbench_history");
  branch.wait();
  writer.stop();
  branch.compare_pages();
  check_equal(of_source, contents_of(connect(of.source)), "the source after writes on its branch");

  const core::lsn head = branch.at("last_record_lsn");
  of.strata.api("PUT", of.strata.timeline_path("s", "work") + "/compact");
  branch.compare_pages();
  of.strata.stop();
  of.strata.start();
  BOOST_TEST(branch.at("last_record_lsn").value == head.value);
  branch.compare_pages();

  // It goes on where it ended, and what a kill loses comes again.
  writer.start();
  BOOST_TEST(writer.run("pgbench", {"-n", "-c", "4", "-t", "300"}).exit_code == 0);
  branch.wait();
  of.strata.kill();
  BOOST_TEST(writer.run("pgbench", {"-n", "-c", "4", "-t", "300"}).exit_code == 0);
  of.strata.start();
  branch.wait();
  writer.stop();
  branch.compare_pages();
  BOOST_TEST(branch.keeper().options().find("timeline_id=" + branch.timeline().at("timeline_id").get<std::string>()) !=
             std::string::npos);
  BOOST_TEST(branch.keeper().feedbacks() > 0u);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_page_of_a_branch_that_is_written_to_equals_its_writers) { check_every_page(true); }

BOOST_AUTO_TEST_CASE(every_page_of_a_branch_without_checksums_equals_its_writers) { check_every_page(false); }

BOOST_AUTO_TEST_CASE(the_own_history_of_a_branch_can_be_branched_exported_and_collected) {
  server_fixture of;
  written_branch branch(of.strata, "work");
  postgres_cluster& writer = branch.postgres();
  writer.execute("CREATE TABLE marks (name text)");
  struct remembered {
    std::string name, when;
    core::lsn at;
    cluster_contents contents;
  };
  std::vector<remembered> moments;
  for (int i = 0; i < 4; ++i) {
    writer.execute("INSERT INTO marks VALUES ('" + std::to_string(i) + "')");
    moment now = take_moment(connect(writer));
    writer.execute("INSERT INTO marks VALUES ('after " + std::to_string(i) + "')");
    moments.push_back(
        {"at" + std::to_string(i), i == 1 ? now.time : core::to_string(now.at), now.at, now.snapshot->read()});
    BOOST_REQUIRE(writer.run("pgbench", {"-n", "-c", "2", "-t", "100"}).exit_code == 0);
    writer.execute("CREATE TABLE step" + std::to_string(i) + " AS SELECT i FROM generate_series(1, 500) i");
    writer.execute("VACUUM");
  }
  const cluster_contents at_the_end = contents_of(connect(writer));
  branch.wait();
  const auto look = [&](const std::string& suffix, std::size_t from) {
    for (std::size_t i = from; i < moments.size(); ++i) {
      of.strata.ask({"branch", "create", moments[i].name + suffix, "--from", "work@" + moments[i].when});
      const branch_compute compute(of.strata, moments[i].name + suffix);
      check_equal(moments[i].contents, contents_of(connect(compute)), moments[i].name + " at " + moments[i].when);
    }
  };
  look("", 0);
  const std::string path = of.strata.timeline_path("s", "work");
  const json then = of.strata.api("GET", path + "/get_timestamp_of_lsn?lsn=" + core::to_string(moments[2].at));
  BOOST_TEST(then.is_string());
  const json back = of.strata.api("GET", path + "/get_lsn_by_timestamp?timestamp=" + moments[1].when);
  BOOST_TEST(back.at("kind") == "present");
  BOOST_TEST((lsn_from(back.at("lsn")) > branch.start()));

  // What is older than the second moment goes, but not what branches need.
  of.strata.api("PUT", path + "/checkpoint");
  of.strata.api("PUT", path + "/compact");
  const core::lsn head = branch.at("last_record_lsn");
  of.strata.set_options("s", {{"pitr_interval", "0s"}});
  of.strata.api("PUT", path + "/do_gc", {{"gc_horizon", head - moments[2].at}});
  BOOST_TEST(branch.at("latest_gc_cutoff_lsn").value > moments[1].at.value);
  // The moment itself is kept: a branch began there.
  const core::lsn behind(moments[1].at.value + 8);
  BOOST_TEST(of.strata.cli({"branch", "create", "late", "--from", "work@" + core::to_string(behind)}).exit_code != 0);
  look("_again", 3);
  const branch_compute first(of.strata, "at0");
  check_equal(moments[0].contents, contents_of(connect(first)), "a branch below the cutoff of its ancestor");
  of.strata.stop();
  of.strata.start();
  of.strata.ask({"branch", "create", "last", "--from", "work@" + core::to_string(head)});
  const branch_compute last(of.strata, "last");
  check_equal(at_the_end, contents_of(connect(last)), "the head after a restart");
}

BOOST_AUTO_TEST_CASE(cut_connections_lose_and_double_nothing) {
  server_fixture of;
  written_branch branch(of.strata, "work");
  postgres_cluster& writer = branch.postgres();
  const auto load = writer.spawn("pgbench", {"-n", "-c", "2", "-T", "8"});
  while (load->running()) {
    const auto before = branch.keeper().connections();
    branch.keeper().cut();
    wait_until("the receiver is back", [&] { return branch.keeper().connections() > before; });
    load->wait_for(std::chrono::milliseconds(300));
  }
  BOOST_TEST(load->wait().exit_code == 0);
  branch.wait();
  BOOST_TEST(branch.keeper().connections() > 5u);
  const json receiver = branch.timeline().at("receiver");
  BOOST_TEST(receiver.at("reconnects").get<int>() >= 5);
  BOOST_TEST(receiver.at("from").get<std::string>().find("safekeeper 1 at 127.0.0.1") == 0u);
  writer.stop();
  branch.compare_pages();
}

BOOST_AUTO_TEST_SUITE_END()
