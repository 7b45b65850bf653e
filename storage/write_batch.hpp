#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "pg/types.hpp"
#include "storage/value.hpp"
#include "storage/wal_trace.hpp"

namespace strata::storage {

/// When a transaction ended: the samples from which "the LSN at that time" is found.
struct commit_time {
  pg::timestamp time = 0;
  core::lsn end;  ///< end LSN of the commit or abort record
};

/// The changes of some whole WAL records: versions of values in LSN order, created by ingest, handed to the timeline
/// and adopted by its open layer (without copying when large). Becomes visible as a whole, by one advance of
/// last_record_lsn.
class write_batch {
 public:
  struct entry {
    core::page_key key;
    core::lsn at;
    std::uint8_t* value = nullptr;  ///< tag and payload, in one of the chunks
    std::uint32_t size = 0;
  };

  explicit write_batch(std::size_t chunk_size_bytes = 256u << 10);
  write_batch(write_batch&&) noexcept = default;
  write_batch& operator=(write_batch&&) noexcept = default;

  /// A new version of `key` at `at` with a value of `size` bytes; the caller writes them (tag first) at the returned
  /// address before the batch is handed over. Versions of one key come in LSN order; the last of several at one LSN
  /// wins.
  std::uint8_t* reserve(const core::page_key& key, core::lsn at, std::size_t size);
  void put_image(const core::page_key& key, core::lsn at, core::bytes_view image);

  /// All changes of the record [start, end) are added. Required for records without changes, too.
  void finish_record(core::lsn start, core::lsn end);
  void add_commit_time(pg::timestamp time, core::lsn end) { commit_times_.push_back({time, end}); }
  /// Of the WAL up to the last record.
  void set_trace(const wal_trace& trace) { trace_ = trace; }

  /// The newest version of `key` in this batch, or an empty view: reads through an uncommitted batch.
  [[nodiscard]] core::bytes_view newest(const core::page_key& key) const;

  [[nodiscard]] bool empty() const { return !last_record_end_.valid(); }
  [[nodiscard]] std::size_t value_bytes() const { return value_bytes_; }
  [[nodiscard]] core::lsn last_record_start() const { return last_record_start_; }
  [[nodiscard]] core::lsn last_record_end() const { return last_record_end_; }
  [[nodiscard]] std::span<const entry> entries() const { return entries_; }
  [[nodiscard]] std::span<const commit_time> commit_times() const { return commit_times_; }
  [[nodiscard]] const std::optional<wal_trace>& trace() const { return trace_; }

  struct chunk {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t used = 0;
    std::size_t size = 0;
  };
  /// For the layer that adopts the batch: afterwards only entries() of this object may be used, while the chunks exist.
  std::vector<chunk> release_chunks() { return std::move(chunks_); }

 private:
  std::size_t chunk_size_bytes_;
  std::vector<chunk> chunks_;
  std::vector<entry> entries_;
  // The newest entry of each key (its position plus one), open addressing; updated only on lookups.
  void index_entries() const;
  mutable std::vector<std::uint32_t> slots_;
  mutable std::size_t indexed_ = 0;
  std::vector<commit_time> commit_times_;
  std::size_t value_bytes_ = 0;
  core::lsn last_record_start_;
  core::lsn last_record_end_;
  std::optional<wal_trace> trace_;
};

}  // namespace strata::storage
