// How long from `strata branch create` to the first answer of a Postgres on the branch, and what of it is the branch?

#include <cstdio>
#include <string>
#include <vector>

#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"

namespace {

using namespace strata;
using namespace strata::bench;

constexpr int rounds = 5;

struct timings {
  std::vector<double> create, start, query;
};

void one_branch(const tests::strata_server& strata, const std::string& name, timings& into) {
  wall_stopwatch clock;
  strata.ask({"branch", "create", name, "--from", "main"});
  into.create.push_back(clock.lap());
  const tests::branch_compute compute(strata, name);
  into.start.push_back(clock.lap());
  if (compute.value("SELECT count(*) FROM pgbench_branches") == "0") throw std::runtime_error("an empty branch");
  into.query.push_back(clock.lap());
}

void measure_size(int scale) {
  const followed_database database({.scale = scale});
  const tests::strata_server& strata = database.strata();

  timings of;
  for (int round = 0; round < rounds; ++round) one_branch(strata, "b" + std::to_string(round), of);

  std::vector<double> api;
  const std::string tenant = "/v1/tenant/" + strata.tenant_id("bench") + "/timeline";
  const std::string parent = strata.timeline("bench").at("timeline_id");
  for (int round = 0; round < 4 * rounds; ++round) {
    const wall_stopwatch clock;
    strata.api("POST", tenant, {{"name", "a" + std::to_string(round)}, {"ancestor_timeline_id", parent}});
    api.push_back(clock.seconds());
  }
  std::printf("%8.0f MB %11.1f ms %11.1f ms %11.0f ms %11.1f ms %11.0f ms\n", database.megabytes(), median(api) * 1e3,
              median(of.create) * 1e3, median(of.start) * 1e3, median(of.query) * 1e3,
              (median(of.create) + median(of.start) + median(of.query)) * 1e3);
  std::fflush(stdout);
}

}  // namespace

int main() {
  try {
    std::printf("%11s %14s %14s %14s %14s %14s   (medians of %d)\n", "database", "create, API", "create, CLI",
                "compute start", "first query", "all by CLI", rounds);
    for (const int scale : {1, 10, 40}) measure_size(scale);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
