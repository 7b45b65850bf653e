#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/runtime/metrics.hpp"
#include "actors/safekeeper/lone_timeline.hpp"
#include "actors/safekeeper/protocol.hpp"
#include "core/clock.hpp"

namespace strata::actors::safekeeper {

struct flush_rounds_options {
  io::disk* disk = nullptr;
  std::string directory;           ///< on the disk that is checked
  std::uint64_t disk_reserve = 0;  ///< WAL is refused, errc::disk_full, when less would be left
  const core::clock* clock = nullptr;
};

/// The rounds in which a safekeeper makes WAL durable, and what all of them share: the room on the disk, metrics, and
/// the choice of the thread. Any thread; rounds of different timelines may run at the same time.
class flush_rounds {
 public:
  using outcome = journal::timeline_journal::outcome;

  flush_rounds(flush_rounds_options options, runtime::metrics& metrics);

  /// Writes all batches, then syncs all of their journals. Blocks. One outcome for each batch; an error: nothing was
  /// written. No journal is in two rounds at a time.
  core::result<std::vector<outcome>> run(const std::vector<keep_wal>& work);

  /// Runs the round of one batch in the thread that has read it, although that must not block: as long as its timeline
  /// is alone (lone_timeline.hpp), and no other thread does the same. None: a flusher runs it.
  std::optional<core::result<outcome>> run_where_it_was_read(const keep_wal& work);

 private:
  core::result<std::uint64_t> room();
  void note(const std::vector<keep_wal>& work, std::chrono::steady_clock::duration took);

  const flush_rounds_options options_;
  runtime::counter rounds_;
  runtime::counter batches_;
  runtime::histogram fsync_;
  std::mutex mutex_;  ///< of all below; not held while a round runs
  std::uint64_t free_bytes_ = 0;
  core::monotonic_time asked_at_{};
  lone_timeline lone_;
  bool runs_in_reader_ = false;
};

}  // namespace strata::actors::safekeeper
