#include "actors/safekeeper/wal_flusher.hpp"

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/latency.hpp"

namespace strata::actors::safekeeper {
namespace {

struct round_due {};
using private_flusher = wal_flusher_actor::extend<messages::accepts<round_due>>;

using outcome = journal::timeline_journal::outcome;
using round_work = std::vector<keep_wal>;

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

/// One outcome for each.
std::vector<outcome> do_round(const round_work& work, std::uint64_t room, runtime::histogram& fsync) {
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

class wal_flusher final : public runtime::actor_base<private_flusher> {
 public:
  static constexpr const char* kind = "safekeeper.wal_flusher";
  static constexpr runtime::pool_id pool = runtime::pool_id::io;

  wal_flusher(const runtime::actor_setup& setup, wal_flusher_options options)
      : actor_base(setup),
        options_(std::move(options)),
        rounds_(env().metrics().counter("strata_safekeeper_flush_rounds_total",
                                        "Rounds in which WAL of waiting timelines was made durable together")),
        batches_(env().metrics().counter("strata_safekeeper_batches_total",
                                         "Batches of proposers' messages that were made durable")),
        fsync_(env().metrics().histogram("strata_safekeeper_fsync_seconds", "Making written WAL of a timeline durable",
                                         runtime::latency_buckets())),
        commit_(env().metrics().histogram("strata_safekeeper_commit_seconds",
                                          "From the arrival of a proposer's batch until it is durable",
                                          runtime::latency_buckets())) {}

 private:
  friend actor_base;
  void on(const keep_wal& request, runtime::reply<wal_kept> owed) {
    waiting_.push_back(request);
    arrived_.emplace_back();
    owed_.push_back(std::move(owed));
    // Sent after everything in the mailbox: that joins the round.
    if (waiting_.size() == 1) tell(self(), round_due{});
  }

  void on(const round_due&) {
    const round_work work = std::exchange(waiting_, {});
    const auto owed = std::exchange(owed_, {});
    const auto arrived = std::exchange(arrived_, {});
    rounds_.add();
    batches_.add(static_cast<double>(work.size()));
    const auto left = room();
    if (!left) {
      for (const auto& each : owed) each.fail(left.error());
      return;
    }
    auto done = do_round(work, *left, fsync_);
    for (std::size_t i = 0; i < owed.size(); ++i) {
      if (!done[i].failed && !done[i].refused) commit_.observe(arrived[i].elapsed());
      owed[i].deliver({std::move(done[i])});
    }
  }

  /// Bytes that may still be written. The disk is queried again soon, and each time when little is left.
  core::result<std::uint64_t> room() {
    constexpr std::chrono::milliseconds believed_for{100};
    constexpr std::uint64_t plenty = 1u << 30;
    const core::monotonic_time now = clock().monotonic();
    if (free_bytes_ < options_.disk_reserve + plenty || now - asked_at_ > believed_for) {
      STRATA_ASSIGN(free_bytes_, options_.disk->free_bytes(options_.directory));
      asked_at_ = now;
    }
    return free_bytes_ > options_.disk_reserve ? free_bytes_ - options_.disk_reserve : 0;
  }

  wal_flusher_options options_;
  runtime::counter rounds_;
  runtime::counter batches_;
  runtime::histogram fsync_;
  runtime::histogram commit_;
  round_work waiting_;
  std::vector<runtime::reply<wal_kept>> owed_;
  std::vector<runtime::stopwatch> arrived_;
  std::uint64_t free_bytes_ = 0;
  core::monotonic_time asked_at_{};
};

}  // namespace

wal_flusher_actor spawn_wal_flusher(caf::actor_system& system, wal_flusher_options options) {
  auto label = options.label;
  return runtime::spawn<wal_flusher>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::round_due)
