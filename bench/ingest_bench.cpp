// How fast does the server take in WAL, from the replication connection to durable layers, and how fast does a stock
// standby replay the same WAL on the same machine? (goal: 3 times as fast, in less than 1 GiB of memory)

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "bench/standby.hpp"
#include "bench/stopwatch.hpp"
#include "bench/wal_source.hpp"
#include "tests/support/strata_server.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using namespace std::chrono_literals;

/// WAL of two workloads, one behind the other.
struct workload {
  core::lsn begin;
  core::lsn middle;  ///< pgbench up to here, bulk insert from here on
  core::lsn end;
};

struct passage {
  core::lsn first_seen;
  double middle = 0, end = 0;  ///< seconds
};

/// Watches a position until it has passed all of the workload.
template <class Position>
passage watch(const workload& of, const Position& position) {
  const wall_stopwatch clock;
  passage seen{.first_seen = position()};
  for (core::lsn at = seen.first_seen; at < of.end; at = position()) {
    if (at >= of.middle && seen.middle == 0) seen.middle = clock.seconds();
    if (clock.seconds() > 300) throw std::runtime_error("no end after 300 s, at " + core::to_string(at));
    std::this_thread::sleep_for(5ms);
  }
  seen.end = clock.seconds();
  return seen;
}

double megabytes(core::lsn from, core::lsn to) { return to > from ? static_cast<double>(to - from) / 1e6 : 0; }

struct rates {
  double pgbench = 0, bulk = 0, all = 0;  ///< MB/s
};

rates rates_of(const workload& of, const passage& seen, double extra_seconds = 0) {
  return {.pgbench = seen.middle > 0 ? megabytes(seen.first_seen, of.middle) / seen.middle : 0,
          .bulk = megabytes(of.middle, of.end) / (seen.end - seen.middle),
          .all = megabytes(seen.first_seen, of.end) / (seen.end + extra_seconds)};
}

void print(const char* who, const rates& each) {
  std::printf("%-46s %7.0f %7.0f %7.0f MB/s\n", who, each.pgbench, each.bulk, each.all);
  std::fflush(stdout);
}

std::uint64_t peak_memory_kb(pid_t of) {
  std::ifstream status("/proc/" + std::to_string(of) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}

rates replay(wal_source& source, const tar_backup& backup, standby::wal_from from, const workload& work) {
  standby other(source, backup, from);
  other.start();
  // Replay is under way when it answers: what it did before counts for neither the bytes nor the time.
  return rates_of(work, watch(work, [&] { return other.replayed(); }));
}

struct ingest_result {
  rates speed;
  double start_seconds = 0, flush_seconds = 0;
  std::uint64_t peak_kb = 0;
};

ingest_result ingest(tests::strata_server& strata, const workload& work) {
  ingest_result result;
  const wall_stopwatch start;
  strata.start();
  const std::string path = strata.timeline_path("bench");
  result.start_seconds = start.seconds();
  const auto position = [&] { return tests::lsn_from(strata.api("GET", path).at("last_record_lsn")); };
  const passage seen = watch(work, position);
  const wall_stopwatch flush;
  strata.api("PUT", path + "/checkpoint");
  if (tests::lsn_from(strata.api("GET", path).at("disk_consistent_lsn")) < work.end)
    throw std::runtime_error("the checkpoint did not reach the end of the WAL");
  result.flush_seconds = flush.seconds();
  result.speed = rates_of(work, seen, result.start_seconds + result.flush_seconds);
  result.peak_kb = peak_memory_kb(strata.pid());
  return result;
}

/// Takes the base backup; the WAL comes when the server is started again.
void follow(wal_source& source, tests::strata_server& strata, const std::string& slot,
            const nlohmann::json& options = {}) {
  strata.start();
  strata.ask({"source", "add", "bench", "--slot", slot, "--conninfo", source.cluster().conninfo()});
  strata.wait_until_readable("bench");
  if (!options.empty()) strata.set_options("bench", options);
  strata.stop();
}

void print(const char* who, const ingest_result& taken, const rates& files, const rates& streamed) {
  print(who, taken.speed);
  std::printf("  all: with %.2f s of start and %.2f s until the last byte is durable in a layer\n", taken.start_seconds,
              taken.flush_seconds);
  std::printf("  ratio to the standbys %.2f and %.2f (goal 3), peak memory %.0f MiB (goal: below 1024)\n",
              taken.speed.all / files.all, taken.speed.all / streamed.all, static_cast<double>(taken.peak_kb) / 1024);
  std::fflush(stdout);
}

void measure(std::uint64_t bulk_bytes, std::chrono::seconds pgbench_time) {
  wal_source source(20);
  const tar_backup backup = source.take_backup();
  tests::strata_server strata;
  follow(source, strata, "bench");
  tests::strata_server uncompacted;
  follow(source, uncompacted, "bench_uncompacted", {{"compaction_threshold", 1000}});

  workload work{.begin = source.flushed()};
  work.middle = source.run_pgbench(pgbench_time).end;
  work.end = source.run_bulk_insert(bulk_bytes).end;
  source.cluster().execute("CHECKPOINT");
  std::printf("%.0f MB of pgbench WAL, %.0f MB of bulk-insert WAL\n%-46s %7s %7s %7s\n",
              megabytes(work.begin, work.middle), megabytes(work.middle, work.end), "", "pgbench", "bulk", "all");

  const rates files = replay(source, backup, standby::wal_from::its_own_files, work);
  print("stock standby, WAL in its pg_wal", files);
  const rates streamed = replay(source, backup, standby::wal_from::streaming, work);
  print("stock standby, streaming", streamed);
  print("strata, streaming", ingest(strata, work), files, streamed);
  strata.stop();
  print("strata, streaming, L0 layers not yet compacted", ingest(uncompacted, work), files, streamed);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const std::uint64_t bulk_megabytes = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1800;
    const std::chrono::seconds pgbench_time(count > 2 ? std::strtol(arguments[2], nullptr, 10) : 30);
    measure(bulk_megabytes * 1000000, pgbench_time);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
