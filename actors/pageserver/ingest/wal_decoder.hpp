#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/mapping/ingest.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/wal_trace.hpp"
#include "storage/write_batch.hpp"

namespace strata::actors::pageserver {

/// From WAL bytes to batches: framing, parsing and mapping in one pass. A machine over its store that never blocks: for
/// a record that needs the disk it returns a step, which its owner runs elsewhere.
///
/// The WAL of a source is read again from the start of the store's trace: WAL that was received before is compared with
/// the trace's digests before anything after it is ingested. errc::conflict when it differs: this is not the
/// server that was followed.
class wal_decoder {
 public:
  /// A batch is handed over when it holds this much.
  static constexpr std::size_t batch_size_bytes = 1u << 20;

  enum class compared { whole_trace, newer_piece };
  /// Starts at the store's last_record_lsn, or at the start of the part of its trace that must be compared; no batch
  /// may be in flight. Blocks.
  static core::result<std::unique_ptr<wal_decoder>> open(std::shared_ptr<storage::timeline_store> store,
                                                         compared part = compared::whole_trace);

  /// The position of the next bytes.
  [[nodiscard]] core::lsn position() const;
  /// Precondition: work() has returned used_up since the last feed.
  core::result<void> feed(core::bytes_view wal);
  /// The source's timeline of the fed bytes.
  void set_source_timeline(std::uint32_t timeline) { source_timeline_ = timeline; }

  enum class progress {
    used_up,     ///< feed more
    batch_full,  ///< take the batch, then continue
    barrier,     ///< take the batch, wait until all are visible, call passed_barrier(), then continue
    needs_disk,  ///< run take_disk_step() where it may block, then continue
  };
  core::result<progress> work();

  /// Adds the record that needs the disk to the batch: reads relation sizes, copies or drops a database, writes the
  /// metadata. Owns everything that it uses, so it may outlive this object and the fed bytes; what it has added is
  /// lost then, and what it has stored does no harm when the record comes again. While it runs only position() and
  /// comparing() may be called. After an error discard this object.
  using disk_step = std::function<core::result<void>()>;
  /// Precondition: work() has returned needs_disk. The batch may be taken before.
  disk_step take_disk_step();
  void passed_barrier() { at_barrier_ = false; }

  /// Whether all bytes so far were received before.
  [[nodiscard]] bool comparing() const { return comparing_; }
  [[nodiscard]] bool has_batch() const { return !batch_->empty(); }
  std::shared_ptr<storage::write_batch> take_batch();

 private:
  wal_decoder(std::shared_ptr<storage::timeline_store> store, std::unique_ptr<storage::mapping::wal_ingest> ingest,
              compared part);
  struct record_step;
  core::result<progress> work_on();
  /// False: it needs the disk.
  core::result<bool> add_record();
  /// The next record, checked against the last one that was received when it is the first.
  core::result<bool> frame_record();
  core::result<void> compare();
  /// Adds the fed bytes to the trace, up to `end`.
  void trace_to(core::lsn end);

  std::shared_ptr<storage::timeline_store> store_;
  std::shared_ptr<storage::mapping::wal_ingest> ingest_;  ///< a disk_step's as well, while it runs
  pg::wal::stream_decoder decoder_;
  pg::major_version major_;
  pg::wal::record record_;
  core::bytes_view record_bytes_;
  bool record_waits_ = false;          ///< record_ is parsed but not added
  std::shared_ptr<record_step> step_;  ///< has added record_, or will
  bool at_barrier_ = false;
  std::shared_ptr<storage::write_batch> batch_;

  // Of a source only.
  std::optional<storage::wal_trace> before_;  ///< the WAL that must come again
  bool comparing_ = false;
  core::lsn previous_record_;  ///< the record before the first one; 0: unknown, or checked
  std::optional<storage::wal_tracer> tracer_;
  std::uint32_t source_timeline_ = 1;
  core::bytes_view fed_;  ///< the part of it that is not in the trace yet
  core::lsn framed_to_;   ///< the bytes up to here belong to the record that waits or those before
  core::lsn batch_to_;    ///< the same of the records in the batch
  std::optional<storage::wal_trace> batch_trace_;
};

}  // namespace strata::actors::pageserver
