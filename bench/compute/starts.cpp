#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "bench/compute/sides.hpp"
#include "bench/compute/workloads.hpp"
#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"

namespace strata::bench {
namespace {

using nlohmann::json;

/// A row of the branch's own data, which no start reads.
constexpr const char* first_row = "select abalance from pgbench_accounts where aid = 4711";
constexpr const char* small_change = "update pgbench_branches set bbalance = bbalance + 1 where bid = 1";

double milliseconds(const std::vector<double>& seconds, double part) { return percentile(seconds, part) * 1e3; }

struct timings {
  std::vector<double> start, row, created, takeover;
  std::map<std::string, std::vector<double>> steps;
};

json start(const tests::strata_server& strata, const std::string& branch, const std::string& pages) {
  return strata.ask({"compute", "start", branch, "--pages", pages, "--no-fill"});
}

void start_once(const tests::strata_server& strata, const std::string& pages, timings& into) {
  const wall_stopwatch whole;
  wall_stopwatch part;
  const json compute = start(strata, "dev", pages);
  into.start.push_back(part.lap());
  tests::sql_session(compute.at("uri")).value(first_row);
  into.row.push_back(whole.seconds());
  const json running = compute_named(strata, "dev");
  for (const auto& [step, micros] : running.at("steps_us").items())
    into.steps[step].push_back(micros.get<double>() / 1e6);
  strata.ask({"compute", "stop", "dev", "--remove"});
}

void create_and_start_once(const tests::strata_server& strata, const std::string& pages, timings& into) {
  const wall_stopwatch clock;
  strata.ask({"branch", "create", "fresh"});
  const json compute = start(strata, "fresh", pages);
  into.created.push_back(clock.seconds());
  tests::sql_session(compute.at("uri")).value(first_row);
  strata.ask({"compute", "stop", "fresh", "--remove"});
  strata.ask({"branch", "delete", "fresh", "--yes"});
}

pid_t postmaster_of(const json& compute) {
  std::ifstream file(compute.at("data_directory").get<std::string>() + "/postmaster.pid");
  pid_t found = 0;
  file >> found;
  return found;
}

/// From kill -9 of agent, filler and postmaster to a commit on the next compute of the branch.
void take_over_once(const tests::strata_server& strata, const std::string& pages, timings& into) {
  json compute = start(strata, "dev", pages);
  tests::sql_session(compute.at("uri")).execute(small_change);
  const json running = compute_named(strata, "dev");
  const pid_t postmaster = postmaster_of(running);
  const wall_stopwatch clock;
  for (const pid_t each :
       {running.at("agent_pid").get<pid_t>(), running.at("page_counts").value("filler_pid", 0), postmaster})
    if (each > 0) ::kill(each, SIGKILL);
  compute = start(strata, "dev", pages);
  tests::sql_session(compute.at("uri")).execute(small_change);
  into.takeover.push_back(clock.seconds());
  strata.ask({"compute", "stop", "dev", "--remove"});
}

void print(const char* what, double megabytes, const timings& of, const timings& stock) {
  std::printf("%-9s %6.0f MB  first row p50 %5.0f p99 %5.0f ms", what, megabytes, milliseconds(of.row, 0.5),
              milliseconds(of.row, 0.99));
  if (&of != &stock)
    std::printf("  %.1f times, %.0f ms above pg_ctl", median(of.row) / median(stock.row),
                milliseconds(of.row, 0.5) - milliseconds(stock.row, 0.5));
  if (!of.created.empty())
    std::printf("  branch create and ready p50 %.0f p99 %.0f ms", milliseconds(of.created, 0.5),
                milliseconds(of.created, 0.99));
  if (!of.takeover.empty())
    std::printf("  takeover p50 %.0f longest %.0f ms", milliseconds(of.takeover, 0.5), milliseconds(of.takeover, 1));
  if (!of.start.empty()) std::printf("  command %.0f", milliseconds(of.start, 0.5));
  for (const auto& [step, values] : of.steps) std::printf("  %s %.0f", step.c_str(), milliseconds(values, 0.5));
  std::printf("\n");
  std::fflush(stdout);
}

void measure_size(followed_database& database, int rounds) {
  const tests::strata_server& strata = database.strata();
  strata.ask({"branch", "create", "dev"});

  std::map<std::string, timings> of;
  timings stock;
  // What copies everything is not repeated as often, and not at all with a large database.
  const int copies = database.megabytes() < 4000 ? 3 : 0;
  const int less_often = std::max(3, rounds / 5);
  for (int round = 0; round < rounds; ++round) {
    for (const std::string pages : {"fanotify", "fuse", "copy"}) {
      if (pages == "copy" && round >= copies) continue;
      start_once(strata, pages, of[pages]);
    }
    database.source().stop();
    const wall_stopwatch clock;
    database.source().start();
    database.source().value(first_row);
    stock.row.push_back(clock.seconds());
    if (round >= less_often) continue;
    for (const std::string pages : {"fanotify", "fuse"}) {
      create_and_start_once(strata, pages, of[pages]);
      take_over_once(strata, pages, of[pages]);
    }
  }
  print("pg_ctl", database.megabytes(), stock, stock);
  for (const auto& [pages, each] : of) print(pages.c_str(), database.megabytes(), each, stock);
  strata.ask({"branch", "delete", "dev", "--yes"});
}

}  // namespace

void measure_starts(const plan& of, database_shelf& from) {
  const int rounds = of.rounds.value_or(50);
  std::printf("starts: medians of %d rounds in turns (a fifth of branch create and takeover, 3 of copy); steps in ms\n",
              rounds);
  for (const int scale : of.scales.empty() ? std::vector<int>{130, 1} : of.scales)
    measure_size(from.of_scale(scale), rounds);
}

}  // namespace strata::bench
