#pragma once

#include <memory>

#include "core/result.hpp"
#include "pg/wal/record.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/write_batch.hpp"

namespace strata::storage::mapping {

/// Turns WAL records into versions of values: block records under the pages they change, and their effects on relation
/// sizes, transaction status, databases and counters (docs/formats/values.md). One for each timeline that receives WAL.
/// Records come in order, without gaps, from the store's last_record_lsn on, and every batch goes to the store in
/// order. The next batch may be filled while earlier ones are on their way to the store: changes that are not visible
/// yet are remembered here.
///
/// Not thread safe, and add() may be called on another thread each time.
class wal_ingest {
 public:
  /// Starts at the store's last_record_lsn: no batch may be on its way.
  static core::result<std::unique_ptr<wal_ingest>> open(std::shared_ptr<timeline_store> store);
  ~wal_ingest();
  wal_ingest(const wal_ingest&) = delete;
  wal_ingest& operator=(const wal_ingest&) = delete;

  /// Whether the record copies or drops existing data, so that it needs an empty batch and a store that shows every
  /// earlier record. The caller hands over the pending batch, waits until it is visible, and then calls add(). It
  /// hands over the batch of such a record at once, too.
  [[nodiscard]] static bool needs_empty_batch(const pg::wal::record& record);

  /// Adds all changes of the record, and calls batch.finish_record(). Block references are stored for every resource
  /// manager: a page whose redo is not supported fails when it is read. errc::corrupt when the record contradicts
  /// itself or has impossible sizes; errc::unsupported when the source lowered wal_level to minimal. After an error
  /// discard the batch and this object; batches handed over before are complete.
  ///
  /// memory_only never blocks. errc::would_block when a size must be read from the disk, a database copied or dropped,
  /// or the metadata written: then nothing has changed, and the caller adds the record with may_block.
  core::result<void> add(const pg::wal::record& record, write_batch& batch, read_mode mode);

 private:
  struct state;
  explicit wal_ingest(std::unique_ptr<state> of);
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
