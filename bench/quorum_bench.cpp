// What does a commit cost when its WAL must be on two of three safekeepers, against stock Postgres with two of three
// pg_receivewal --synchronous? How much WAL goes through the quorum, and how long after the death of a compute does the
// next one commit? (goals: latency at most 1.0 of stock's, a first commit within 3 s)

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"
#include "tests/support/quorum_cluster.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using namespace std::chrono_literals;

constexpr int scale = 20;

void fill(tests::postgres_cluster& cluster) { fill_with_pgbench(cluster, scale); }

std::vector<std::string> common_config() {
  return {"wal_level = replica", "shared_buffers = 512MB", "max_wal_size = 4GB"};
}

/// A durable stock Postgres whose commits wait for two of three pg_receivewal, each of which syncs what it gets.
class stock_quorum {
 public:
  stock_quorum() : cluster_({.config = config()}) {
    cluster_.start();
    fill(cluster_);
    for (const std::string name : {"r1", "r2", "r3"}) {
      const auto directory = cluster_.work_directory() / name;
      const std::string to =
          "host=" + host() + " port=" + std::to_string(cluster_.port()) + " user=postgres application_name=" + name;
      std::filesystem::create_directory(directory);
      std::filesystem::permissions(directory, std::filesystem::perms::all);
      cluster_.execute("SELECT pg_create_physical_replication_slot('" + name + "', true)");
      receivers_.push_back(
          cluster_.spawn("pg_receivewal", {"--synchronous", "--no-loop", "-S", name, "-D", directory, "-d", to}));
    }
    tests::wait_until("the receivers stream", [&] {
      return cluster_.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "3";
    });
    cluster_.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 2 (r1, r2, r3)'");
    cluster_.execute("SELECT pg_reload_conf()");
    tests::wait_until("commits wait for them",
                      [&] { return cluster_.value("SHOW synchronous_standby_names").starts_with("ANY 2"); });
  }
  [[nodiscard]] std::string conninfo() const { return cluster_.conninfo(); }

 private:
  static std::vector<std::string> config() {
    auto lines = common_config();
    lines.insert(lines.end(), {"fsync = on", "max_wal_senders = 10"});
    return lines;
  }
  [[nodiscard]] std::string host() const {
    const std::string conninfo = cluster_.conninfo();
    const auto at = conninfo.find("host='") + 6;
    return conninfo.substr(at, conninfo.find('\'', at) - at);
  }
  tests::postgres_cluster cluster_;
  std::vector<std::unique_ptr<tests::process>> receivers_;
};

struct side {
  const char* name;
  std::string conninfo;
  std::vector<double> tps, p50, p99;
};

void measure_commits(side& stock, side& strata, int clients, int rounds, std::chrono::seconds slice) {
  for (side* each : {&stock, &strata}) each->tps.clear(), each->p50.clear(), each->p99.clear();
  for (int round = 0; round < rounds; ++round)
    for (side* each : {&stock, &strata}) {
      const auto got = run_pgbench(each->conninfo, {.clients = clients, .duration = slice, .latencies = true});
      each->tps.push_back(got.tps);
      each->p50.push_back(got.percentile(0.5));
      each->p99.push_back(got.percentile(0.99));
    }
  for (const side* each : {&stock, &strata})
    std::printf("%2d clients  %-40s %8.0f TPS  p50 %7.2f ms  p99 %7.2f ms\n", clients, each->name, median(each->tps),
                median(each->p50), median(each->p99));
  std::printf("            ratio: TPS %.2f, p50 %.2f, p99 %.2f (goal: latency at most 1.0)\n",
              median(strata.tps) / median(stock.tps), median(strata.p50) / median(stock.p50),
              median(strata.p99) / median(stock.p99));
  std::fflush(stdout);
}

double bulk_rate(const std::string& conninfo) {
  tests::sql_session session(conninfo);
  session.execute("DROP TABLE IF EXISTS bulk");
  const auto position = [&] { return tests::lsn_from(session.value("SELECT pg_current_wal_insert_lsn()")); };
  const core::lsn begin = position();
  const wall_stopwatch clock;
  session.execute("CREATE TABLE bulk AS SELECT i, repeat('x', 200) FROM generate_series(1, 1500000) i");
  return static_cast<double>(position() - begin) / 1e6 / clock.seconds();
}

void measure_throughput(const side& stock, const side& strata) {
  std::vector<double> stock_rates, strata_rates;
  for (int round = 0; round < 3; ++round) {
    stock_rates.push_back(bulk_rate(stock.conninfo));
    strata_rates.push_back(bulk_rate(strata.conninfo));
  }
  std::printf("WAL of CREATE TABLE AS, acknowledged: stock %.0f MB/s, strata %.0f MB/s, ratio %.2f\n",
              median(stock_rates), median(strata_rates), median(strata_rates) / median(stock_rates));
  std::fflush(stdout);
}

void measure_takeover(tests::quorum_cluster& cluster, int rounds) {
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) {
    cluster.kill_compute();
    const wall_stopwatch clock;
    cluster.start_compute();
    tests::sql_session(cluster.conninfo()).execute("UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1");
    seconds.push_back(clock.seconds());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "from kill -9 of a compute (a database of %d MB) to the first commit on the next: p50 %.2f s, longest %.2f s"
      " (goal: p50 below 3 s)\n",
      scale * 16, seconds[seconds.size() / 2], seconds.back());
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const int rounds = count > 1 ? std::atoi(arguments[1]) : 5;
    const std::chrono::seconds slice(count > 2 ? std::atoi(arguments[2]) : 5);
    stock_quorum stock_server;
    tests::quorum_cluster cluster({.source_config = common_config(), .prepare = fill});
    cluster.start_compute("dev", {"--set", "shared_buffers = 512MB", "--set", "max_wal_size = 4GB"});
    side stock{"stock, 2 of 3 pg_receivewal", stock_server.conninfo(), {}, {}, {}};
    side strata{"strata, 2 of 3 safekeepers", cluster.conninfo(), {}, {}, {}};
    for (const int clients : {1, 4, 16}) measure_commits(stock, strata, clients, rounds, slice);
    measure_throughput(stock, strata);
    measure_takeover(cluster, 7);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
