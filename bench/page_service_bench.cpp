// How many pages per second does the page service give out, and how soon, when each is one image in a warm cache?
// Beside a bare epoll server that answers from memory, in turns. (goal: 0.7 of its rate)

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/page_load.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using namespace std::chrono_literals;

constexpr int rounds = 5;

struct shape_results {
  std::vector<load_result> strata;
  std::vector<load_result> bare;
};

double median(const std::vector<load_result>& of, double load_result::*field) {
  std::vector<double> values;
  for (const load_result& each : of) values.push_back(each.*field);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void print(const load_shape& shape, const shape_results& of) {
  const auto rate = &load_result::requests_per_second;
  const auto line = [&](const char* who, const std::vector<load_result>& results) {
    std::printf("%2d x %2d  %-12s %9.0f /s   p50 %6.0f us   p99 %6.0f us", shape.connections, shape.in_flight, who,
                median(results, rate), median(results, &load_result::p50_us), median(results, &load_result::p99_us));
  };
  line("bare epoll", of.bare);
  std::printf("\n");
  line("strata", of.strata);
  std::printf("   ratio %.2f\n", median(of.strata, rate) / median(of.bare, rate));
}

/// A table small enough for the block cache, from a base backup, compacted: every page is one image.
page_target prepare(tests::postgres_cluster& source, tests::strata_server& strata) {
  source.start();
  const tests::finished filled = source.run("pgbench", {"-i", "-q", "-s", "5", "postgres"});
  if (filled.exit_code != 0) throw std::runtime_error("pgbench -i: " + filled.err);
  strata.start();
  strata.add_source("bench", source.conninfo());
  const std::string path = strata.timeline_path("bench");
  strata.api("PUT", path + "/checkpoint");
  strata.api("PUT", path + "/compact");

  page_target target{.port = strata.page_port()};
  const nlohmann::json timeline = strata.timeline("bench");
  target.command = "pagestream_v2 " + timeline.at("tenant_id").get<std::string>() + " " +
                   timeline.at("timeline_id").get<std::string>();
  const auto number = [&](const std::string& sql) { return static_cast<std::uint32_t>(std::stoul(source.value(sql))); };
  target.relation = {.tablespace = 1663,
                     .database = number("SELECT oid FROM pg_database WHERE datname = 'postgres'"),
                     .relation = number("SELECT pg_relation_filenode('pgbench_accounts')"),
                     .fork = pg::fork::main};
  target.blocks = number("SELECT pg_relation_size('pgbench_accounts') / 8192");
  return target;
}

load_result load(const page_target& target, const load_shape& shape) {
  const load_result result = run_page_load(target, shape);
  if (result.errors > 0) throw std::runtime_error(std::to_string(result.errors) + " requests failed");
  return result;
}

void measure() {
  tests::postgres_cluster source({.config = {"wal_level = replica"}});
  tests::strata_server strata;
  const page_target target = prepare(source, strata);
  const bare_page_server bare;
  const page_target bare_target{.port = bare.port(), .relation = target.relation, .blocks = target.blocks};
  std::printf("%u pages at random; connections x requests in flight; medians of %d rounds\n", target.blocks, rounds);
  load(target, {.connections = 1, .in_flight = 16, .duration = 2000ms});  // warms the cache

  for (const auto& [connections, in_flight] : {std::array{1, 1}, {1, 16}, {8, 1}, {8, 16}}) {
    const load_shape shape{.connections = connections, .in_flight = in_flight, .duration = 1000ms};
    shape_results results;
    for (int round = 0; round < rounds; ++round) {
      results.bare.push_back(load(bare_target, shape));
      results.strata.push_back(load(target, shape));
    }
    print(shape, results);
  }
}

}  // namespace

int main() {
  try {
    measure();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
