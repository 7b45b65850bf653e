// Where does the time of ingest go? Real pgbench and bulk-insert WAL through decoding, parsing, mapping, append and
// flush, in this process, each stage on its own clock; then all of it as the server does, flush beside the rest.

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "actors/pageserver/ingest/wal_decoder.hpp"
#include "bench/demand.hpp"
#include "bench/imported_timeline.hpp"
#include "bench/stopwatch.hpp"
#include "bench/wal_source.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using actors::pageserver::wal_decoder;

pg::wal::stream_decoder decoder_from(core::lsn start) {
  pg::wal::stream_decoder_options options;
  options.start = start;
  return pg::wal::stream_decoder(options);
}

struct counted {
  std::uint64_t records = 0;
  double seconds = 0;
};

counted decode(const wal_source& source, const wal_range& range, bool parse) {
  counted result;
  pg::wal::stream_decoder decoder = decoder_from(range.begin);
  const auto record = std::make_unique<pg::wal::record>();
  source.read_wal(range, [&](core::lsn, core::bytes_view piece) {
    const cpu_stopwatch clock;
    decoder.feed(piece);
    while (const auto framed = demand(decoder.next())) {
      ++result.records;
      if (parse)
        demand(pg::wal::parse_record(framed->bytes, framed->start, framed->end, pg::major_version::v15, *record));
    }
    result.seconds += clock.seconds();
  });
  return result;
}

struct stage_seconds {
  double ingest = 0, append = 0, flush = 0, flush_wall = 0;
  std::uint64_t l0_bytes = 0;
};

/// Hands every batch of the WAL to `append`.
template <class Append>
void take_in(wal_decoder& decoder, core::bytes_view piece, const Append& append) {
  demand(decoder.feed(piece));
  for (;;) {
    const auto progress = demand(decoder.work());
    if (decoder.has_batch() && progress != wal_decoder::progress::used_up) append(decoder.take_batch());
    if (progress == wal_decoder::progress::barrier) decoder.passed_barrier();
    if (progress == wal_decoder::progress::needs_disk) demand(decoder.take_disk_step()());
    if (progress == wal_decoder::progress::used_up) break;
  }
  if (decoder.has_batch()) append(decoder.take_batch());
}

void flush_all(storage::timeline_store& store, stage_seconds& result) {
  const cpu_stopwatch cpu;
  const wall_stopwatch wall;
  while (store.frozen_count() > 0) demand(store.flush_oldest());
  result.flush += cpu.seconds();
  result.flush_wall += wall.seconds();
}

stage_seconds ingest_in_turns(const wal_source& source, storage::timeline_store& store, wal_decoder& decoder,
                              core::lsn end) {
  stage_seconds result;
  const std::uint64_t before = store.counters().layer_bytes;
  source.read_wal({decoder.position(), end}, [&](core::lsn, core::bytes_view piece) {
    cpu_stopwatch clock;
    take_in(decoder, piece, [&](const std::shared_ptr<storage::write_batch>& batch) {
      result.ingest += clock.lap();
      store.append(std::move(*batch));
      result.append += clock.lap();
    });
    result.ingest += clock.lap();
    if (store.freeze_due() && store.freeze()) flush_all(store, result);
  });
  if (store.freeze()) flush_all(store, result);
  result.l0_bytes = store.counters().layer_bytes - before;
  return result;
}

/// A thread that flushes what is frozen while the owner goes on.
class background_flusher {
 public:
  explicit background_flusher(storage::timeline_store& store) : store_(store), thread_([this] { run(); }) {}
  ~background_flusher() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  background_flusher(const background_flusher&) = delete;
  background_flusher& operator=(const background_flusher&) = delete;

  void frozen() { changed_.notify_all(); }
  void wait_until_below(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return store_.frozen_count() < count; });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || store_.frozen_count() > 0; });
      if (store_.frozen_count() == 0) return;
      lock.unlock();
      demand(store_.flush_oldest());
      lock.lock();
      changed_.notify_all();
    }
  }

  storage::timeline_store& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

double ingest_side_by_side(const wal_source& source, storage::timeline_store& store, wal_decoder& decoder,
                           core::lsn end) {
  const wall_stopwatch clock;
  background_flusher flusher(store);
  const auto freeze = [&] {
    flusher.wait_until_below(2);
    if (store.freeze()) flusher.frozen();
  };
  source.read_wal({decoder.position(), end}, [&](core::lsn, core::bytes_view piece) {
    take_in(decoder, piece,
            [&](const std::shared_ptr<storage::write_batch>& batch) { store.append(std::move(*batch)); });
    if (store.freeze_due()) freeze();
  });
  freeze();
  flusher.wait_until_below(1);
  return clock.seconds();
}

void print_stage(const char* name, double megabytes, double seconds) {
  std::printf("  %-28s %8.2f s  %8.0f MB/s\n", name, seconds, megabytes / seconds);
}

void report_turns(const wal_source& source, const wal_range& range, storage::timeline_store& store,
                  wal_decoder& decoder) {
  const double megabytes = range.megabytes();
  const counted framed = decode(source, range, false);
  const counted parsed = decode(source, range, true);
  const stage_seconds stages = ingest_in_turns(source, store, decoder, range.end);
  std::printf("  %.2f M records, %.0f bytes each\n", static_cast<double>(framed.records) / 1e6,
              megabytes * 1e6 / static_cast<double>(framed.records));
  print_stage("decode (framing, CRC)", megabytes, framed.seconds);
  print_stage("parse", megabytes, parsed.seconds - framed.seconds);
  print_stage("map", megabytes, stages.ingest - parsed.seconds);
  print_stage("append", megabytes, stages.append);
  print_stage("flush", megabytes, stages.flush);
  print_stage("sum of CPU", megabytes, stages.ingest + stages.append + stages.flush);
  std::printf("  flush by the wall clock %.2f s; L0 layers of %.0f MB\n", stages.flush_wall,
              static_cast<double>(stages.l0_bytes) / 1e6);
}

void measure(std::uint64_t bulk_bytes, std::chrono::seconds pgbench_time) {
  wal_source source(20);
  const tar_backup backup = source.take_backup();
  const wal_range pgbench{backup.start, source.run_pgbench(pgbench_time).end};
  const wal_range bulk{pgbench.end, source.run_bulk_insert(bulk_bytes).end};
  source.cluster().stop();
  {
    const imported_timeline home(backup);
    const auto decoder = demand(wal_decoder::open(home.store()));
    const wal_range first{home.store()->last_record_lsn(), pgbench.end};
    std::printf("pgbench: %.0f MB of WAL\n", first.megabytes());
    report_turns(source, first, *home.store(), *decoder);
    std::printf("bulk insert: %.0f MB of WAL\n", bulk.megabytes());
    report_turns(source, {decoder->position(), bulk.end}, *home.store(), *decoder);
    const wall_stopwatch clock;
    const auto compacted = demand(home.store()->compact(true, [] { return false; }));
    std::printf("compaction of all L0: %.2f s, %.0f MB in, %.0f MB out\n", clock.seconds(),
                static_cast<double>(compacted.bytes_in) / 1e6, static_cast<double>(compacted.bytes_out) / 1e6);
  }
  const imported_timeline home(backup);
  const auto decoder = demand(wal_decoder::open(home.store()));
  const wal_range all{decoder->position(), bulk.end};
  const double seconds = ingest_side_by_side(source, *home.store(), *decoder, all.end);
  std::printf("both, flush in a thread beside: %.2f s, %.0f MB/s from WAL files to durable layers\n", seconds,
              all.megabytes() / seconds);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const std::uint64_t bulk_megabytes = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 600;
    const std::chrono::seconds pgbench_time(count > 2 ? std::strtol(arguments[2], nullptr, 10) : 20);
    measure(bulk_megabytes * 1000000, pgbench_time);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
