#include "actors/safekeeper/flush_rounds.hpp"

#include <utility>

#include "actors/runtime/latency.hpp"
#include "core/blocking_allowed.hpp"

namespace strata::actors::safekeeper {
namespace {

using outcome = flush_rounds::outcome;

std::vector<journal::timeline_journal::incoming> incoming_of(const message_batch& batch) {
  std::vector<journal::timeline_journal::incoming> incoming;
  incoming.reserve(batch.entries.size());
  for (const message_batch::entry& each : batch.entries)
    incoming.push_back({each.message, core::bytes_view(batch.wal).subspan(each.wal_offset, each.wal_size)});
  return incoming;
}

/// A refusal is reported after the replies to the messages before it.
void add_synced(outcome& to, outcome synced) {
  for (auto& each : synced.replies) to.replies.push_back(std::move(each));
  if (synced.failed || !to.refused) {
    to.refused = std::move(synced.refused);
    to.failed = synced.failed;
  }
}

std::vector<outcome> do_round(const std::vector<keep_wal>& work, std::uint64_t room, runtime::histogram& fsync) {
  std::vector<outcome> done(work.size());
  std::vector<bool> written(work.size());
  for (std::size_t i = 0; i < work.size(); ++i) {
    const std::size_t size = work[i].batch->wal.size();
    if (size > room) {
      done[i].refused = core::error{core::errc::disk_full,
                                    "keep WAL: the safekeeper's disk is full except for its reserve; free space on it"};
      continue;
    }
    room -= size;
    done[i] = work[i].journal->write(incoming_of(*work[i].batch));
    written[i] = !done[i].failed;
  }
  for (std::size_t i = 0; i < work.size(); ++i) {
    if (!written[i]) continue;
    const runtime::stopwatch watch;
    add_synced(done[i], work[i].journal->sync());
    fsync.observe(watch.elapsed());
  }
  return done;
}

}  // namespace

flush_rounds::flush_rounds(flush_rounds_options options, runtime::metrics& metrics)
    : options_(std::move(options)),
      rounds_(metrics.counter("strata_safekeeper_flush_rounds_total",
                              "Rounds in which WAL of waiting timelines was made durable together")),
      batches_(
          metrics.counter("strata_safekeeper_batches_total", "Batches of proposers' messages that were made durable")),
      fsync_(metrics.histogram("strata_safekeeper_fsync_seconds", "Making written WAL of a timeline durable",
                               runtime::latency_buckets())) {}

core::result<std::vector<outcome>> flush_rounds::run(const std::vector<keep_wal>& work) {
  rounds_.add();
  batches_.add(static_cast<double>(work.size()));
  STRATA_ASSIGN(const std::uint64_t left, room());
  const auto begun = std::chrono::steady_clock::now();
  auto done = do_round(work, left, fsync_);
  note(work, std::chrono::steady_clock::now() - begun);
  return done;
}

std::optional<core::result<outcome>> flush_rounds::run_where_it_was_read(const keep_wal& work) {
  {
    const std::lock_guard lock(mutex_);
    if (runs_in_reader_ || !lone_.is(work.timeline)) return std::nullopt;
    runs_in_reader_ = true;
  }
  const core::blocking_allowed here;
  auto done = run({work});
  const std::lock_guard lock(mutex_);
  runs_in_reader_ = false;
  if (!done) return core::result<outcome>(std::move(done).error());
  return core::result<outcome>(std::move(done->front()));
}

void flush_rounds::note(const std::vector<keep_wal>& work, std::chrono::steady_clock::duration took) {
  const std::lock_guard lock(mutex_);
  for (const auto& each : work) lone_.ran(each.timeline, took);
}

/// Bytes that may still be written. The disk is queried again soon, and each time when little is left.
core::result<std::uint64_t> flush_rounds::room() {
  constexpr std::chrono::milliseconds believed_for{100};
  constexpr std::uint64_t plenty = 1u << 30;
  const core::monotonic_time now = options_.clock->monotonic();
  std::unique_lock lock(mutex_);
  if (free_bytes_ < options_.disk_reserve + plenty || now - asked_at_ > believed_for) {
    lock.unlock();
    STRATA_ASSIGN(const std::uint64_t free, options_.disk->free_bytes(options_.directory));
    lock.lock();
    free_bytes_ = free;
    asked_at_ = now;
  }
  return free_bytes_ > options_.disk_reserve ? free_bytes_ - options_.disk_reserve : 0;
}

}  // namespace strata::actors::safekeeper
