// How fast is WAL replayed in memory by one thread, decoding, redo and page look-up together (goal: 300 MB/s), where
// does the time go, and how long does a stock Postgres take for the redo of the same WAL?

#include <cstdio>
#include <exception>
#include <memory>

#include "bench/demand.hpp"
#include "bench/stopwatch.hpp"
#include "bench/wal_history.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/workload/wal_workload.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
namespace verify = pg::verify;

constexpr int rounds = 3;

/// The WAL in one piece, so that no stage waits for a file.
core::bytes read_all(const wal_history& of) {
  core::bytes all;
  for (core::lsn at(of.begin().value - of.begin().value % pg::default_wal_segment_size);
       at <= of.after().control->checkpoint_location; at = at + pg::default_wal_segment_size) {
    char name[25];
    const std::uint64_t number = at.value / pg::default_wal_segment_size;
    std::snprintf(name, sizeof name, "00000001%08X%08X", static_cast<unsigned>(number / 256),
                  static_cast<unsigned>(number % 256));
    std::FILE* file = std::fopen((of.after().path / name).c_str(), "rb");
    if (file == nullptr) throw std::runtime_error(std::string("open segment ") + name);
    const std::size_t before = all.size();
    all.resize(before + pg::default_wal_segment_size);
    const std::size_t got = std::fread(all.data() + before, 1, pg::default_wal_segment_size, file);
    std::fclose(file);
    if (got != pg::default_wal_segment_size) throw std::runtime_error(std::string("read segment ") + name);
  }
  return all;
}

/// CPU seconds of framing and CRC, and of parsing too.
double decode(const wal_history& of, const core::bytes& wal, bool parse) {
  const auto record = std::make_unique<pg::wal::record>();
  const cpu_stopwatch watch;
  pg::wal::stream_decoder decoder({.start = of.begin(), .major = of.after().major});
  decoder.feed(core::bytes_view(wal).subspan(decoder.position().value % pg::default_wal_segment_size));
  while (const auto framed = decoder.next()) {
    if (!*framed) break;
    if (parse)
      demand(pg::wal::parse_record((*framed)->bytes, (*framed)->start, (*framed)->end, of.after().major, *record));
  }
  return watch.seconds();
}

struct figures {
  double decode = 1e9;
  double parse = 1e9;
  double all = 1e9;
  double megabytes = 0;
  double records = 0;
};

figures measure(const wal_history& of) {
  const core::bytes wal = read_all(of);
  figures best;
  for (int round = 0; round < rounds; ++round) {
    best.decode = std::min(best.decode, decode(of, wal, false));
    best.parse = std::min(best.parse, decode(of, wal, true));
    verify::report report(of.after().major, {});
    const auto verifier = of.verifier(report);
    const cpu_stopwatch watch;
    const auto done = of.replay(*verifier);
    best.all = std::min(best.all, watch.seconds());
    if (report.mismatches > 0) throw std::runtime_error("redo failed");
    best.megabytes = static_cast<double>(done.end - done.start) / 1e6;
    best.records = static_cast<double>(report.total().records);
  }
  return best;
}

void print(const char* name, wal_history& of) {
  const figures got = measure(of);
  const double stock = of.stock_redo_seconds();
  std::printf("%-10s %7.0f MB, %5.0f bytes a record\n", name, got.megabytes, got.megabytes * 1e6 / got.records);
  const auto line = [&](const char* what, double seconds) {
    std::printf("  %-34s %8.0f MB/s %8.2f million records/s  %5.2f times stock Postgres\n", what,
                got.megabytes / seconds, got.records / 1e6 / seconds, stock / seconds);
  };
  line("decode with CRC", got.decode);
  line("and parse", got.parse);
  line("and look up pages and redo (verify)", got.all);
  line("stock Postgres 15, redo (elapsed)", stock);
}

void measure_all() {
  wal_history mixed({"full_page_writes = off", tests::wal_workload_config[0], tests::wal_workload_config[1],
                     tests::wal_workload_config[2]},
                    [](tests::postgres_cluster& cluster) { tests::run_wal_workload(cluster); });
  print("mixed", mixed);
  wal_history pgbench({"synchronous_commit = off"}, [](tests::postgres_cluster& cluster) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"-i", "-q", "-s", "10", "postgres"},
          std::vector<std::string>{"-n", "-c", "4", "-j", "1", "-T", "15", "postgres"}}) {
      const auto ran = cluster.run("pgbench", arguments);
      if (ran.exit_code != 0) throw std::runtime_error("pgbench: " + ran.err);
    }
  });
  print("pgbench", pgbench);
}

}  // namespace

int main() {
  try {
    measure_all();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
