#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "storage/write_batch.hpp"

namespace strata::storage {

/// The newest versions of a timeline, not yet in a file. One writer appends; any number of readers look up concurrently
/// without a lock: a version is published before the last_record_lsn that makes it visible, and readers ask only for
/// visible LSNs. Entries link to the previous version of their key; an open-addressing table finds the newest.
class memory_layer {
  struct version {
    const std::uint8_t* value = nullptr;
    core::lsn at;
    std::uint32_t size = 0;
    std::uint32_t previous = 0;  ///< position + 1 of the key's previous version, 0 = none
    std::uint32_t key = 0;       ///< position of its key
  };
  struct known_key {
    core::page_key key;
    std::atomic<std::uint32_t> newest{0};  ///< position + 1 of its newest version
  };

 public:
  /// Holds versions from `begin` on.
  explicit memory_layer(core::lsn begin);
  memory_layer(const memory_layer&) = delete;
  memory_layer& operator=(const memory_layer&) = delete;

  // -- the writer --------------------------------------------------------------------------------------------------

  void append(write_batch&& batch);
  /// Ends the appends. The layer covers [begin, end); `trace` is of the WAL before `end`.
  void freeze(core::lsn end, core::lsn previous_record, std::optional<wal_trace> trace = std::nullopt);

  // -- any thread --------------------------------------------------------------------------------------------------

  [[nodiscard]] core::lsn begin() const { return begin_; }
  /// Only of a frozen layer.
  [[nodiscard]] core::lsn end() const { return end_; }
  [[nodiscard]] core::lsn previous_record() const { return previous_record_; }
  [[nodiscard]] const std::optional<wal_trace>& trace() const { return trace_; }
  [[nodiscard]] bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  /// Values and index, as allocated.
  [[nodiscard]] std::uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value_bytes() const { return value_bytes_.load(std::memory_order_relaxed); }

  /// The versions of one key, newest first, one per LSN. Views stay valid as long as the layer.
  class versions {
   public:
    [[nodiscard]] bool valid() const { return at_ != nullptr; }
    [[nodiscard]] core::lsn at() const { return at_->at; }
    [[nodiscard]] core::bytes_view value() const { return {at_->value, at_->size}; }
    void next();

   private:
    friend class memory_layer;
    versions(const memory_layer* layer, const version* at) : layer_(layer), at_(at) {}
    const memory_layer* layer_;
    const version* at_;
  };
  /// From the newest version at or below `at`.
  [[nodiscard]] versions find(const core::page_key& key, core::lsn at) const;

  using sorted_visitor = std::function<core::result<void>(const core::page_key&, core::lsn, core::bytes_view)>;
  /// All versions of a frozen layer, keys ascending, newest first, one per LSN, until the visitor fails.
  core::result<void> visit_sorted(const sorted_visitor& visit) const;
  /// The sparse keys of a range, in order.
  [[nodiscard]] std::vector<core::page_key> sparse_keys(const core::key_range& range) const;

  [[nodiscard]] std::vector<commit_time> commit_times() const;

 private:
  /// Elements with stable addresses, allocated in segments; readers access only published ones.
  template <class Element>
  class segments {
   public:
    static constexpr std::size_t per_segment = 16384;
    [[nodiscard]] Element& operator[](std::uint32_t position) const {
      return table_.load(std::memory_order_acquire)[position / per_segment].load(
          std::memory_order_acquire)[position % per_segment];
    }
    /// Allocates room for one element at this position; returns the bytes allocated.
    std::size_t make_room(std::uint32_t position);

   private:
    using directory = std::unique_ptr<std::atomic<Element*>[]>;
    static constexpr std::size_t segments_max = 65536;
    static constexpr std::size_t first_directory_size = 16;
    /// Replaced by a larger one when full; a reader of an old one asks for no element after its end.
    std::atomic<std::atomic<Element*>*> table_{nullptr};
    std::size_t table_size_ = 0;
    std::vector<directory> directories_;
    std::vector<std::unique_ptr<Element[]>> owned_;
  };

  /// Open addressing over positions + 1 of keys. Replaced by a larger one when it fills; a reader of an old one misses
  /// only keys that are newer than its LSN.
  struct table {
    explicit table(std::size_t size) : mask(size - 1), slots(new std::atomic<std::uint32_t>[size]()) {}
    std::size_t mask;
    std::unique_ptr<std::atomic<std::uint32_t>[]> slots;
  };

  void add(const write_batch::entry& from, const std::uint8_t* value);
  /// The position of a key, existing or new.
  std::uint32_t position_of(const core::page_key& key);
  std::uint8_t* copy_space(std::size_t size);
  void grow_table();
  [[nodiscard]] std::vector<std::uint32_t> sorted_positions() const;

  core::lsn begin_;
  core::lsn end_;
  core::lsn previous_record_;
  std::optional<wal_trace> trace_;

  segments<version> versions_;
  segments<known_key> keys_;
  std::atomic<std::uint32_t> count_{0};
  std::uint32_t key_count_ = 0;
  std::vector<std::unique_ptr<table>> tables_;
  std::atomic<const table*> current_table_{nullptr};
  std::vector<write_batch::chunk> chunks_;
  std::size_t copy_chunk_left_ = 0;
  std::uint8_t* copy_chunk_at_ = nullptr;
  std::atomic<std::uint64_t> memory_bytes_{0};
  std::atomic<std::uint64_t> value_bytes_{0};

  mutable std::mutex lists_;
  std::vector<core::page_key> sparse_keys_;  // guarded by lists_
  std::vector<commit_time> commit_times_;    // guarded by lists_
};

}  // namespace strata::storage
