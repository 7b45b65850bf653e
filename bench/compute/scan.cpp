#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "bench/compute/sides.hpp"
#include "bench/compute/workloads.hpp"
#include "bench/delaying_relay.hpp"
#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"

namespace strata::bench {
namespace {

constexpr std::chrono::microseconds delay{500};

double scan_seconds(const std::string& conninfo, int workers) {
  tests::sql_session session(conninfo);
  session.execute("set max_parallel_workers_per_gather = " + std::to_string(workers));
  const wall_stopwatch clock;
  session.value("select count(*) from pgbench_accounts");
  return clock.seconds();
}

struct variant {
  std::string name;
  std::string pages;
  bool far = true;             ///< answers come through the relay
  bool evicts_server = false;  ///< the server reads its layers from the disk, too
  std::vector<double> seconds{}, relay_cpu{};
};

void scan_once(const followed_database& database, variant& of, int workers) {
  const tests::strata_server& strata = database.strata();
  if (of.evicts_server) evict(strata.directory());
  std::optional<delaying_relay> relay;
  std::optional<page_service_elsewhere> elsewhere;
  if (of.far) {
    relay.emplace(strata.page_port(), delay);
    elsewhere.emplace(strata, relay->port());
  }
  const started_compute compute(strata, "main", "cold", {"--pages", of.pages, "--no-fill"});
  const double before = relay ? relay->cpu_seconds() : 0;
  of.seconds.push_back(scan_seconds(compute.conninfo(), workers));
  of.relay_cpu.push_back(relay ? relay->cpu_seconds() - before : 0);
}

void measure(const followed_database& database, plain_postgres& plain, double megabytes, int workers, int rounds) {
  std::vector<variant> all{{"fanotify, 0.5 ms away", "fanotify"},
                           {"fanotify, 0.5 ms away, the server's files cold", "fanotify", true, true},
                           {"fanotify, no delay", "fanotify", false},
                           {"FUSE, 0.5 ms away", "fuse"}};
  std::vector<double> local;
  for (int round = 0; round < rounds; ++round) {
    plain.cluster().stop();
    evict(plain.data_directory());
    plain.cluster().start();
    local.push_back(scan_seconds(plain.conninfo(), workers));
    for (auto& each : all) scan_once(database, each, workers);
  }
  std::printf("scan, %d workers      %-48s %5.2f s  %5.0f MB/s\n", workers, "local, from the disk", median(local),
              megabytes / median(local));
  for (const auto& each : all)
    std::printf("scan, %d workers      %-48s %5.2f s  %5.0f MB/s  ratio %.2f (goal 0.5)  CPU of the relay %.2f s\n",
                workers, each.name.c_str(), median(each.seconds), megabytes / median(each.seconds),
                median(local) / median(each.seconds), median(each.relay_cpu));
  std::fflush(stdout);
}

}  // namespace

void measure_scan(const plan& of, database_shelf& from) {
  const int rounds = of.rounds.value_or(3);
  followed_database& database = from.of_scale(of.scales.empty() ? 80 : of.scales.front());
  const double megabytes = std::stod(database.source().value("select pg_relation_size('pgbench_accounts')")) / 1e6;
  plain_postgres plain(database.strata(), {});
  std::printf("scan: count(*) of %.0f MB, %d rounds in turns\n", megabytes, rounds);
  for (const int workers : {0, 2}) measure(database, plain, megabytes, workers, rounds);
}

}  // namespace strata::bench
