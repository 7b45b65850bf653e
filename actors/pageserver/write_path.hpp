#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/pageserver/ingest/trace_flush.hpp"
#include "actors/pageserver/pages/lsn_waiters.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/reply.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/write_batch.hpp"

namespace strata::actors::pageserver {

/// The commits of a batch. Times are those of the source and may go back.
struct commits_of_batch {
  std::optional<core::wall_time> last;    ///< in WAL order
  std::optional<core::wall_time> latest;  ///< by the clock
};
commits_of_batch commits_of(const storage::write_batch& batch);

/// The path of WAL from a receiver's batches to disk, and the requests that wait for it: reads for records to arrive,
/// checkpoints for them to be on disk, batches for a frozen layer to be flushed. Part of the timeline actor:
/// everything it needs of that is a function.
class write_path {
 public:
  struct context {
    std::function<void(flush_due)> flush;
    std::function<void(const commits_of_batch&)> appended;  ///< a batch can be read
  };

  write_path(std::shared_ptr<storage::timeline_store> store, context of)
      : store_(std::move(store)), context_(std::move(of)) {}

  // -- batches
  /// errc::conflict when the batch does not continue the timeline. While too many frozen layers wait for the disk the
  /// answer is withheld: no answer, no credit, so that the source keeps its WAL and memory stays bounded.
  void ingest(const std::shared_ptr<storage::write_batch>& batch, const runtime::reply<batch_ingested>& owed);

  // -- reads
  /// True: it waits. Otherwise it is answered, also with errc::out_of_range when nothing writes to the timeline and
  /// errc::busy when too many requests wait.
  bool wait(const messages::wait_lsn& request, messages::timeline_state state, core::monotonic_time now,
            const runtime::reply<messages::lsn_reached>& owed);
  /// Answers the reads whose LSN the timeline has reached.
  void answer_reads();
  /// Reads whose deadline has passed fail with errc::timeout and the text of `why` for their LSN.
  void expire_reads(core::monotonic_time now, const std::function<std::string(core::lsn)>& why);
  void stop_reads();
  [[nodiscard]] std::size_t waiting_reads() const { return reads_.size(); }

  // -- the disk
  void freeze_if_due();
  /// Answered when everything that is in memory now is on disk.
  void checkpoint(const runtime::reply<messages::timeline_checkpointed>& owed);
  void flushed(core::lsn disk_consistent);
  void flush_failed(const core::error& why);
  /// Flushes the memory layers, at once. False: there is nothing to flush.
  bool flush_all();
  [[nodiscard]] bool flushing() const { return store_->frozen_count() > 0; }

 private:
  static constexpr std::size_t frozen_max = 2;
  static constexpr std::size_t reads_max = 16384;

  [[nodiscard]] batch_ingested progress() const { return {store_->last_record_lsn(), store_->disk_consistent_lsn()}; }
  void freeze();

  std::shared_ptr<storage::timeline_store> store_;
  context context_;
  trace_flush trace_flush_;
  lsn_waiters<runtime::reply<messages::lsn_reached>> reads_;
  std::vector<std::pair<core::lsn, runtime::reply<messages::timeline_checkpointed>>> checkpoints_;
  std::vector<runtime::reply<batch_ingested>> withheld_;
};

}  // namespace strata::actors::pageserver
