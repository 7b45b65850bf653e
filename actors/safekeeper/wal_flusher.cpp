#include "actors/safekeeper/wal_flusher.hpp"

#include "actors/support/actor_base.hpp"

namespace strata::actors::safekeeper {
namespace {

constexpr int rounds_max = 2;

using outcome = timeline_journal::outcome;
using round_work = std::vector<keep_wal>;

std::vector<timeline_journal::incoming> incoming_of(const message_batch& batch) {
  std::vector<timeline_journal::incoming> incoming;
  incoming.reserve(batch.entries.size());
  for (const message_batch::entry& each : batch.entries)
    incoming.push_back({each.message, core::bytes_view(batch.wal).subspan(each.wal_offset, each.wal_size)});
  return incoming;
}

/// What was refused is told behind what was taken before it.
void add_synced(outcome& to, outcome synced) {
  for (auto& each : synced.replies) to.replies.push_back(std::move(each));
  if (synced.failed || !to.refused) {
    to.refused = std::move(synced.refused);
    to.failed = synced.failed;
  }
}

/// Blocks. One outcome for each.
std::vector<outcome> do_round(const round_work& work, std::uint64_t room) {
  std::vector<outcome> done(work.size());
  std::vector<bool> written(work.size());
  for (std::size_t i = 0; i < work.size(); ++i) {
    const std::size_t size = work[i].batch->wal.size();
    if (size > room) {
      done[i].refused = core::error{core::errc::disk_full,
                                    "keep WAL: the safekeeper's disk is full but for its reserve; make room on it"};
      continue;
    }
    room -= size;
    done[i] = work[i].journal->write(incoming_of(*work[i].batch));
    written[i] = !done[i].failed;
  }
  for (std::size_t i = 0; i < work.size(); ++i)
    if (written[i]) add_synced(done[i], work[i].journal->sync());
  return done;
}

class wal_flusher final : public support::actor_base<wal_flusher_actor> {
 public:
  static constexpr const char* kind = "safekeeper.wal_flusher";
  static constexpr support::pool_id pool = support::pool_id::wal;

  wal_flusher(const support::actor_setup& setup, wal_flusher_options options)
      : actor_base(setup),
        options_(std::move(options)),
        rounds_(env().metrics().counter("strata_safekeeper_flush_rounds_total",
                                        "Rounds in which WAL of waiting timelines was made durable together")),
        batches_(env().metrics().counter("strata_safekeeper_batches_total",
                                         "Batches of proposers' messages that were made durable")) {}

  behavior_type make_behavior() { return {handle(&wal_flusher::keep)}; }

 private:
  void keep(const keep_wal& request, support::reply<wal_kept> owed) {
    waiting_.push_back(request);
    owed_.push_back(std::move(owed));
    begin_round();
  }

  void begin_round() {
    if (running_ == rounds_max || waiting_.empty()) return;
    ++running_;
    rounds_.add();
    batches_.add(static_cast<double>(waiting_.size()));
    offload(
        support::pool_id::io, "make WAL durable",
        [work = std::exchange(waiting_, {}), disk = options_.disk, directory = options_.directory,
         reserve = options_.disk_reserve]() -> core::result<std::vector<outcome>> {
          STRATA_ASSIGN(const std::uint64_t left, disk->free_bytes(directory));
          return do_round(work, left > reserve ? left - reserve : 0);
        },
        [this, owed = std::exchange(owed_, {})](core::result<std::vector<outcome>> done) {
          --running_;
          for (std::size_t i = 0; i < owed.size(); ++i) {
            if (done)
              owed[i].deliver({std::move((*done)[i])});
            else
              owed[i].fail(done.error());
          }
          begin_round();
        });
  }

  wal_flusher_options options_;
  support::counter rounds_;
  support::counter batches_;
  round_work waiting_;
  std::vector<support::reply<wal_kept>> owed_;
  int running_ = 0;
};

}  // namespace

wal_flusher_actor spawn_wal_flusher(caf::actor_system& system, wal_flusher_options options) {
  auto label = options.label;
  return support::spawn<wal_flusher>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper
