// How fast does pgbench's WAL become stored values? Processor time of one thread, in stages that add up: framing with
// CRC, parsing, wal_ingest::add, timeline_store::append. (goal: 600 MB/s for add)

#include <ctime>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "pg/files/start_segment.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/mapping/ingest.hpp"
#include "tests/support/timeline_pipeline.hpp"

namespace {

using namespace strata;
using namespace strata::tests;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class T>
T demand(core::result<T> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
  return *std::move(outcome);
}
void demand(core::result<void> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
}

core::bytes read_wal(const std::filesystem::path& pg_wal, core::lsn from, core::lsn until) {
  core::bytes wal;
  while (from < until) {
    const std::uint64_t offset = from.value % pg::default_wal_segment_size;
    const std::uint64_t count = std::min<std::uint64_t>(pg::default_wal_segment_size - offset, until - from);
    std::ifstream file(pg_wal / pg::files::wal_segment_name(1, from), std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    wal.resize(wal.size() + count);
    if (!file.read(reinterpret_cast<char*>(wal.data() + wal.size() - count), static_cast<std::streamsize>(count)))
      throw std::runtime_error("read WAL at " + core::to_string(from));
    from = from + count;
  }
  return wal;
}

enum class stage { frame, parse, add, append };

struct passed {
  std::uint64_t records = 0;
  double seconds = 0;
};

passed pass(timeline_home& home, core::bytes_view wal, core::lsn from, stage last) {
  const auto ingest = demand(storage::mapping::wal_ingest::open(home.store));
  pg::wal::stream_decoder decoder({.start = from});
  pg::wal::record record;
  storage::write_batch batch;
  passed done;
  const double begun = processor_seconds();
  decoder.feed(wal);
  while (const auto framed = demand(decoder.next())) {
    ++done.records;
    if (last == stage::frame) continue;
    demand(pg::wal::parse_record(framed->bytes, framed->start, framed->end, pg::major_version::v15, record));
    if (last == stage::parse) continue;
    demand(ingest->add(record, batch));
    if (batch.value_bytes() < 1u << 20) continue;
    if (last == stage::append) home.store->append(std::move(batch));
    batch = storage::write_batch();
  }
  done.seconds = processor_seconds() - begun;
  return done;
}

}  // namespace

int main() {
  postgres_cluster source({.config = {"wal_keep_size = 4GB", "max_wal_size = 4GB", "synchronous_commit = off"}});
  source.start();
  source.run("pgbench", {"-i", "-s", "5", "-q"});
  const taken_backup backup = take_backup(source, source.work_directory() / "backup");
  source.run("pgbench", {"-c", "4", "-t", "10000", "-n"});
  source.execute("checkpoint");
  const core::lsn until = demand(core::parse_lsn(source.value("select pg_current_wal_flush_lsn()")));
  timeline_home home;
  import_backup(home, backup);
  const core::lsn from = home.store->last_record_lsn();
  const core::bytes wal = read_wal(source.data_directory() / "pg_wal", from, until);
  source.stop(stop_mode::immediate);

  double before = 0;
  for (const auto& [last, name] : {std::pair{stage::frame, "frame"}, std::pair{stage::parse, "+ parse"},
                                   std::pair{stage::add, "+ add"}, std::pair{stage::append, "+ append"}}) {
    const passed done = pass(home, wal, from, last);
    const double megabytes = static_cast<double>(wal.size()) / 1e6;
    std::printf("%-9s %9llu records  %6.0f MB/s in all  %6.0f MB/s for this stage  %5.0f ns/record\n", name,
                static_cast<unsigned long long>(done.records), megabytes / done.seconds,
                megabytes / (done.seconds - before), done.seconds / static_cast<double>(done.records) * 1e9);
    before = done.seconds;
  }
}
