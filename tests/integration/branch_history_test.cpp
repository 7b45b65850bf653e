#include <boost/test/unit_test.hpp>
#include <chrono>

#include "tests/integration/history_workload.hpp"
#include "tests/support/contents.hpp"
#include "tests/support/strata_server.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_branch_history)

namespace {

/// A moment of the source, and how a branch of it is asked for.
struct remembered {
  std::string name;
  std::string when;
  cluster_contents contents;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += "\n  " + line;
  return text;
}

connect_to connect(const postgres_cluster& cluster) {
  return [&](const std::string& database) { return cluster.conninfo(database); };
}
connect_to connect(const branch_compute& compute) {
  return [&](const std::string& database) { return compute.conninfo(database); };
}

void check_equal(const cluster_contents& then, const cluster_contents& now, const std::string& where) {
  const auto found = differences(then, now);
  BOOST_TEST(found.empty(), where << joined(found));
}

/// Everything that happens on the source, under load, with moments remembered in between.
class history {
 public:
  history(postgres_cluster& source, const strata_server& strata) : source_(source), strata_(strata), load_(source) {}

  void make() {
    history_steps steps(source_);
    load_.start(150);
    remember("start", false);
    for (std::size_t i = 0; i < steps.count(); ++i) {
      steps.run(i);
      remember("step" + std::to_string(i), false);
      if (i == 3 || i == 6) remember("time" + std::to_string(i), true);
    }
    load_.stop();
  }
  std::vector<remembered> moments;

 private:
  void remember(const std::string& name, bool by_time) {
    // Something commits between any two moments, so that none can be taken for its neighbour.
    source_.execute("CREATE TABLE IF NOT EXISTS marks (name text); INSERT INTO marks VALUES ('" + name + "')");
    moment now = take_moment(connect(source_));
    source_.execute("INSERT INTO marks VALUES ('after " + name + "')");
    moments.push_back({name, by_time ? now.time : strata::core::to_string(now.at), now.snapshot->read()});
  }

  postgres_cluster& source_;
  const strata_server& strata_;
  history_load load_;
};

void check_unlogged_tables_are_empty(const branch_compute& compute, const cluster_contents& contents) {
  BOOST_TEST(!contents.unlogged.empty());
  BOOST_TEST(compute.value("SELECT count(*) FROM fleeting") == "0");
  compute.execute("INSERT INTO fleeting (note) VALUES ('works')");
  BOOST_TEST(compute.value("SELECT count(*) FROM fleeting WHERE id = 1") == "1");
}

void check_indexes(const branch_compute& compute) {
  const finished checked = compute.run("pg_amcheck", {"--all", "--heapallindexed", "--install-missing", "--jobs", "2"});
  BOOST_TEST(checked.exit_code == 0, checked.out << checked.err);
}

/// Returns what the branch holds then.
cluster_contents write_on(const branch_compute& compute, const cluster_contents& contents) {
  if (contents.prepared.contains("first@postgres")) {
    BOOST_TEST(compute.value("SELECT count(*) FROM prepared WHERE note LIKE 'first%'") == "0");
    compute.execute("COMMIT PREPARED 'first'");
    BOOST_TEST(compute.value("SELECT count(*) FROM prepared WHERE note LIKE 'first%'") == "11");
  }
  compute.execute("CREATE TABLE only_here AS SELECT i FROM generate_series(1, 1000) i; CREATE INDEX ON only_here (i)");
  compute.execute("UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % 20 = 0; DROP TABLE event");
  compute.execute("UPDATE marks SET name = 'overwritten'; INSERT INTO work (state) VALUES ('only here')");
  compute.execute("VACUUM");
  compute.execute("CHECKPOINT");
  return contents_of(connect(compute));
}

/// Each branch against what the source showed, and written on, while its neighbour runs beside it.
void check_branches(const strata_server& strata, const std::vector<remembered>& moments) {
  std::unique_ptr<branch_compute> neighbour;
  cluster_contents of_neighbour;
  for (const remembered& then : moments) {
    BOOST_TEST_CONTEXT("branch " << then.name << " of main@" << then.when) {
      const auto begun = std::chrono::steady_clock::now();
      strata.ask({"branch", "create", then.name, "--from", "main@" + then.when});
      auto compute = std::make_unique<branch_compute>(strata, then.name);
      check_equal(then.contents, contents_of(connect(*compute)), "the branch against the source");
      check_unlogged_tables_are_empty(*compute, then.contents);
      check_indexes(*compute);
      const cluster_contents written = write_on(*compute, then.contents);
      if (neighbour) check_equal(of_neighbour, contents_of(connect(*neighbour)), "the neighbour after writes here");
      neighbour = std::move(compute);
      of_neighbour = written;
      const auto taken = std::chrono::steady_clock::now() - begun;
      BOOST_TEST_MESSAGE(then.name << " at " << then.when << ": " << then.contents.tables.size() << " tables, "
                                   << std::chrono::duration<double>(taken).count() << " s");
    }
  }
}

void follow_and_branch(bool data_checksums, std::size_t every) {
  postgres_cluster source({.data_checksums = data_checksums, .config = history_config()});
  source.start();
  strata_server strata;
  strata.start();
  history past(source, strata);
  strata.add_source("shop", source.conninfo());
  past.make();
  // Or else equality with a branch would say nothing about where it was taken.
  for (std::size_t i = 1; i < past.moments.size(); ++i)
    BOOST_TEST(differences(past.moments[i - 1].contents, past.moments[i].contents).size() >= 2u);
  const cluster_contents at_the_end = contents_of(connect(source));
  strata.wait_for_lsn("shop", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));

  std::vector<remembered> checked;
  for (std::size_t i = 0; i < past.moments.size(); i += every) checked.push_back(past.moments[i]);
  check_branches(strata, checked);
  check_equal(at_the_end, contents_of(connect(source)), "the source after writes on branches");

  // What was written on a compute did not reach the branch that it was started from, nor a branch of that branch.
  const remembered& parent = checked.at(1);
  strata.ask({"branch", "create", "grandchild", "--from", parent.name});
  const branch_compute again(strata, "grandchild");
  check_equal(parent.contents, contents_of(connect(again)), "a branch of a branch");
}

}  // namespace

BOOST_AUTO_TEST_CASE(branches_at_past_lsns_and_times_hold_what_the_source_held_then) { follow_and_branch(true, 1); }

BOOST_AUTO_TEST_CASE(branches_of_a_source_without_checksums_hold_what_it_held_then) { follow_and_branch(false, 4); }

BOOST_AUTO_TEST_SUITE_END()
