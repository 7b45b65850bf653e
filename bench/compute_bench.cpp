// How long from `strata compute start` of a branch to its first row, by how its pages come, at three sizes of database?
// Beside it: `pg_ctl start` of the same Postgres on a plain directory, to the same row.
//
// compute_bench [ROUNDS [SCALE...]]: pgbench scales; 40 is 0.6 GB.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "bench/stopwatch.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/sql_session.hpp"
#include "tests/support/strata_server.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using nlohmann::json;

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))] * 1e3;
}

/// A row of the branch's own data, which no start reads.
constexpr const char* first_row = "select abalance from pgbench_accounts where aid = 4711";

json compute_named(const tests::strata_server& strata, const std::string& name) {
  for (const auto& each : strata.ask({"compute", "list"}))
    if (each.at("name") == name) return each;
  throw std::runtime_error("there is no compute " + name);
}

struct timings {
  std::vector<double> start, row, create, takeover;
  std::map<std::string, std::vector<double>> steps;
};

void start_once(const tests::strata_server& strata, const std::string& pages, timings& into) {
  const wall_stopwatch whole;
  wall_stopwatch part;
  json compute = strata.ask({"compute", "start", "dev", "--pages", pages, "--no-fill"});
  into.start.push_back(part.lap());
  tests::sql_session(compute.at("uri")).value(first_row);
  into.row.push_back(whole.seconds());
  const json running = compute_named(strata, "dev");
  for (const auto& [step, micros] : running.at("steps_us").items())
    into.steps[step].push_back(micros.get<double>() / 1e6);
  strata.ask({"compute", "stop", "dev", "--remove"});
}

/// From kill -9 of the agent and Postgres to a commit on the next compute of the branch.
void take_over_once(const tests::strata_server& strata, const std::string& pages, timings& into) {
  json compute = strata.ask({"compute", "start", "dev", "--pages", pages, "--no-fill"});
  tests::sql_session(compute.at("uri")).execute("update pgbench_branches set bbalance = bbalance + 1 where bid = 1");
  const wall_stopwatch clock;
  ::kill(compute.at("agent_pid"), SIGKILL);
  compute = strata.ask({"compute", "start", "dev", "--pages", pages, "--no-fill"});
  tests::sql_session(compute.at("uri")).execute("update pgbench_branches set bbalance = bbalance + 1 where bid = 1");
  into.takeover.push_back(clock.seconds());
  strata.ask({"compute", "stop", "dev", "--remove"});
}

void print(const char* what, double megabytes, const timings& of) {
  std::printf("%-10s %6.0f MB  first row p50 %6.0f p99 %6.0f ms", what, megabytes, percentile(of.row, 0.5),
              percentile(of.row, 0.99));
  if (!of.takeover.empty()) std::printf("  takeover p50 %6.0f ms", percentile(of.takeover, 0.5));
  for (const auto& [step, values] : of.steps) std::printf("  %s %.0f", step.c_str(), percentile(values, 0.5));
  std::printf("\n");
  std::fflush(stdout);
}

void measure_size(int scale, int rounds) {
  tests::postgres_cluster source({.config = {"wal_level = replica"}});
  source.start();
  const tests::finished filled = source.run("pgbench", {"-i", "-q", "-s", std::to_string(scale), "postgres"});
  if (filled.exit_code != 0) throw std::runtime_error("pgbench -i: " + filled.err);
  const double megabytes = std::stod(source.value("SELECT sum(pg_database_size(oid)) FROM pg_database")) / 1e6;
  tests::strata_server strata({.arguments = {"--safekeepers", "3"}});
  strata.start();
  strata.add_source("bench", source.conninfo());
  strata.wait_for_lsn("bench", tests::lsn_from(source.value("select pg_current_wal_flush_lsn()")));
  strata.ask({"branch", "create", "dev"});

  std::map<std::string, timings> of;
  timings stock;
  for (int round = 0; round < rounds; ++round) {
    for (const char* pages : {"fanotify", "fuse", "copy"}) {
      // What grows with the database is not repeated as often.
      if (std::string(pages) == "copy" && round >= 3) continue;
      start_once(strata, pages, of[pages]);
    }
    source.stop();
    const wall_stopwatch clock;
    source.start();
    source.value(first_row);
    stock.row.push_back(clock.seconds());
  }
  for (int round = 0; round < std::max(3, rounds / 5); ++round)
    for (const char* pages : {"fanotify", "fuse"}) take_over_once(strata, pages, of[pages]);
  print("pg_ctl", megabytes, stock);
  for (const auto& [pages, each] : of) print(pages.c_str(), megabytes, each);
}

}  // namespace

int main(int count, char** words) {
  try {
    const int rounds = count > 1 ? std::atoi(words[1]) : 10;
    std::vector<int> scales;
    for (int i = 2; i < count; ++i) scales.push_back(std::atoi(words[i]));
    if (scales.empty()) scales = {1, 40, 130};
    std::printf("medians of %d rounds; steps in ms\n", rounds);
    for (const int scale : scales) measure_size(scale, rounds);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
