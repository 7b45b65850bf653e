#pragma once

#include <memory>
#include <optional>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/mapping/ingest.hpp"
#include "storage/timeline_store.hpp"
#include "storage/write_batch.hpp"

namespace strata::actors::pageserver {

/// From WAL bytes to batches: framing, parsing and mapping in one pass. A pure machine over its store.
class wal_intake {
 public:
  /// A batch is handed over when it holds this much.
  static constexpr std::size_t batch_size_bytes = 1u << 20;

  /// Starts at the store's last_record_lsn; no batch may be on its way. Blocks.
  static core::result<std::unique_ptr<wal_intake>> open(std::shared_ptr<storage::timeline_store> store);

  /// Where the next bytes belong.
  [[nodiscard]] core::lsn position() const { return decoder_.position(); }
  /// Precondition: work() has returned used_up since the last feed.
  void feed(core::bytes_view wal) { decoder_.feed(wal); }

  enum class progress {
    used_up,     ///< feed more
    batch_full,  ///< take the batch, then go on
    barrier,     ///< take the batch, wait until all are visible, say so by passed_barrier(), then go on
  };
  core::result<progress> work();
  void passed_barrier() { at_barrier_ = false; }

  [[nodiscard]] bool has_batch() const { return !batch_->empty(); }
  std::shared_ptr<storage::write_batch> take_batch();

 private:
  wal_intake(std::shared_ptr<storage::timeline_store> store, std::unique_ptr<storage::mapping::wal_ingest> ingest);
  core::result<std::optional<progress>> add_record();

  std::shared_ptr<storage::timeline_store> store_;
  std::unique_ptr<storage::mapping::wal_ingest> ingest_;
  pg::wal::stream_decoder decoder_;
  pg::major_version major_;
  pg::wal::record record_;
  bool record_waits_ = false;  ///< record_ is parsed but not added
  bool at_barrier_ = false;
  std::shared_ptr<storage::write_batch> batch_;
};

}  // namespace strata::actors::pageserver
