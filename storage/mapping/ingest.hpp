#pragma once

#include <memory>

#include "core/result.hpp"
#include "pg/wal/record.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/write_batch.hpp"

namespace strata::storage::mapping {

/// Turns WAL records into versions of values: block records under the pages they change, and what they say about
/// relation sizes, transaction status, databases and counters (docs/formats/values.md). One per timeline that takes in
/// WAL; records come in order, without gaps, from the store's last_record_lsn on, and every batch goes to the store in
/// order. Batches may be on their way to the store while the next is filled: what is not visible yet is remembered
/// here.
///
/// Not thread safe, and add() may be called on another thread each time.
class wal_ingest {
 public:
  /// Starts where the store stands: no batch may be on its way.
  static core::result<std::unique_ptr<wal_ingest>> open(std::shared_ptr<timeline_store> store);
  ~wal_ingest();
  wal_ingest(const wal_ingest&) = delete;
  wal_ingest& operator=(const wal_ingest&) = delete;

  /// The record must be added to an empty batch while the store shows everything added before: it copies or drops what
  /// was written. The caller hands over the pending batch, waits until it is visible, and then calls add(). A batch
  /// made of such a record is to be handed over at once, too.
  [[nodiscard]] static bool needs_empty_batch(const pg::wal::record& record);

  /// Adds all that the record changes, and calls batch.finish_record(). Block references are stored whatever the
  /// resource manager: a page whose redo is not known fails when it is read. errc::corrupt when the record contradicts
  /// itself or asks for absurd sizes; errc::unsupported when the source lowered wal_level to minimal. After an error
  /// the batch and this object must be thrown away; what was handed over before is complete.
  ///
  /// memory_only never blocks. errc::would_block when a size has to be read from the disk, a database copied or
  /// dropped, or the metadata written: then nothing has changed, and the record is added with may_block.
  core::result<void> add(const pg::wal::record& record, write_batch& batch, read_mode mode);

 private:
  struct state;
  explicit wal_ingest(std::unique_ptr<state> of);
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
