#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/generation.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "pg/redo/redo.hpp"
#include "storage/layers/layer_map.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/page_read.hpp"
#include "storage/timeline/commit_history.hpp"
#include "storage/write_batch.hpp"

namespace strata::storage {

class layer_cache;   // open layer files and the shared block cache of one server (storage/layers/layer_cache.hpp)
class layer_writer;  // storage/layers/layer_file.hpp
struct layer_writer_options;
class memory_layer;     // storage/layers/memory_layer.hpp
class side_file_store;  // storage/side_files/side_file_store.hpp
struct read_level;      // storage/timeline/read_path.hpp
struct timeline_view;

struct timeline_counters {
  std::uint64_t layers = 0, layer_bytes = 0, l0_layers = 0, memory_bytes = 0, frozen_layers = 0;
};

/// The versions that one memory layer holds: from `begin` on, and, once it is frozen, below `end`.
struct memory_span {
  core::lsn begin;
  std::optional<core::lsn> end;
};

/// The answer to "the LSN at a time": as for recovery_target_time, the LSN is the end of the last transaction before
/// the first one that ended after the time.
struct lsn_at_time {
  enum class kind { present, future, past, no_data } answer = kind::no_data;
  core::lsn at;
};

/// All versions of all values of one timeline: an open memory layer, frozen ones, and layer files; below them the
/// ancestor. Reads may come from any thread and see an immutable snapshot. Writes come from one thread at a time (its
/// timeline actor); flush, compaction and collection from one background thread each.
class timeline_store final {
 public:
  struct context {
    metadata_store* metadata = nullptr;
    layer_cache* layers = nullptr;
    const core::clock* clock = nullptr;
    std::string directory;           ///< of this timeline's layer files
    core::generation generation{1};  ///< of the tenant's attachment; layers written from now on carry it
    config::tenant_options options;
  };

  /// Loads the layer index, removes temporary files and sets aside layer files that the metadata does not name. Opens
  /// no layer: see check_layers(). A local layer without a file is in damaged_layers() at once. errc::corrupt when a
  /// layer has a higher generation than the context. `ancestor` is set iff record.ancestor is; the store keeps it
  /// alive.
  static core::result<std::shared_ptr<timeline_store>> open(const context& context, const timeline_record& record,
                                                            std::shared_ptr<timeline_store> ancestor);

  // -- any thread -------------------------------------------------------------------------------------------------

  [[nodiscard]] timeline_record record() const;
  [[nodiscard]] const std::shared_ptr<timeline_store>& ancestor() const { return ancestor_; }
  [[nodiscard]] core::lsn last_record_lsn() const { return load(last_record_); }
  /// Start of the record that ends at last_record_lsn; 0 when unknown.
  [[nodiscard]] core::lsn previous_record_lsn() const { return load(previous_record_); }
  /// Of the WAL before last_record_lsn; nullopt when none of it was received from a source.
  [[nodiscard]] std::optional<wal_trace> received() const;
  [[nodiscard]] core::lsn disk_consistent_lsn() const { return load(disk_consistent_); }
  [[nodiscard]] core::lsn gc_cutoff() const { return load(gc_cutoff_); }
  [[nodiscard]] timeline_counters counters() const;
  [[nodiscard]] std::vector<layer_record> layers() const;
  /// The files of its computes that are not in the WAL.
  [[nodiscard]] const std::shared_ptr<side_file_store>& side_files() const { return side_files_; }
  /// The memory layers, the open one first, then the frozen ones, newest first.
  [[nodiscard]] std::vector<memory_span> memory_spans() const;
  /// Problems with layer files that opening and check_layers() found, one text each, naming the file. Reads that need
  /// such a layer fail.
  [[nodiscard]] std::vector<std::string> damaged_layers() const;
  [[nodiscard]] pg::redo::redo_context redo_context() const;

  /// errc::out_of_range, with the readable window, unless readable_from and gc_cutoff <= at <= last_record_lsn.
  core::result<void> check_readable(core::lsn at) const;

  /// Rebuilds pages as of `at` (versions <= at). Each read succeeds or fails on its own; memory_only gives
  /// errc::would_block for pages that need the disk. Precondition: at <= last_record_lsn (the caller has waited). Does
  /// not check the window.
  void read_pages(std::span<page_read> reads, core::lsn at, read_mode mode) const;
  /// The value of a sparse key, nullopt when it does not exist as of `at`.
  core::result<std::optional<core::bytes>> read_value(const core::page_key& key, core::lsn at, read_mode mode) const;
  /// All existing sparse keys of a range in key order, until the visitor returns false. Blocks.
  core::result<void> scan(const core::key_range& keys, core::lsn at,
                          const std::function<bool(const core::page_key&, core::bytes_view)>& visitor) const;

  core::result<lsn_at_time> find_lsn(pg::timestamp time) const;
  /// The time of the last transaction that ended at or before `at`.
  core::result<std::optional<pg::timestamp>> find_time(core::lsn at) const;

  // -- the writer -------------------------------------------------------------------------------------------------

  /// Adopts a batch and advances last_record_lsn to its end; visible to readers as a whole.
  /// Precondition: the batch begins at or after last_record_lsn.
  void append(write_batch&& batch);
  /// Whether the open layer has reached its size or distance, or its age limit.
  [[nodiscard]] bool freeze_due() const;
  /// Freezes the open layer if it holds anything or last_record_lsn moved; true if there is something to flush.
  bool freeze();
  /// Frozen layers not yet on disk; the writer accepts no batches when there are two or more.
  [[nodiscard]] std::size_t frozen_count() const;

  // -- background (one of each at a time) ---------------------------------------------------------------------------

  /// Writes the oldest frozen layer to an L0 file, makes it durable, commits it and advances disk_consistent_lsn.
  /// Nothing moves when it fails; a failed fsync ends the process. Returns the new disk_consistent_lsn; not_found when
  /// nothing is frozen.
  core::result<core::lsn> flush_oldest();

  /// Opens each local layer that was there when the timeline was opened, once, and compares its identity and size with
  /// the metadata's. errc::unavailable when it was cancelled, another error when a layer can't be opened for a reason
  /// that is not damage; the next call goes on.
  core::result<void> check_layers(const std::function<bool()>& cancelled);

  struct compaction_outcome {
    std::size_t layers_in = 0, layers_out = 0, images_out = 0;
    std::uint64_t bytes_in = 0, bytes_out = 0;
  };
  /// One step: L0 -> L1 when there are enough L0 layers (or `force`), then image layers where deltas are deep. Reads
  /// continue.
  core::result<compaction_outcome> compact(bool force, const std::function<bool()>& cancelled);

  struct retention {
    core::lsn cutoff;                      ///< by horizon and interval: history before it may be removed
    std::vector<core::lsn> branch_points;  ///< and leased LSNs: stay readable
  };
  /// The cutoff by the options, counted from the newest commit (0 when history is shorter than they keep);
  /// `horizon_bytes` in place of their gc_horizon, where 0 keeps no more than the head. `source_ahead`: the
  /// source's clock minus this machine's, if known. errc::conflict when clocks disagree.
  core::result<core::lsn> plan_gc_cutoff(std::optional<std::chrono::microseconds> source_ahead,
                                         std::optional<std::uint64_t> horizon_bytes = {}) const;
  struct gc_outcome {
    std::size_t removed = 0;
    std::uint64_t removed_bytes = 0;
    core::lsn cutoff;
  };
  /// Publishes the cutoff, waits for readers below it, commits it, then removes layers and side files that no read
  /// needs. Completes check_layers() first: errc::corrupt while a layer is damaged.
  core::result<gc_outcome> collect(const retention& keep);

  /// Changes state, readable_from and flags in the metadata; durable on return.
  core::result<void> update(const timeline_edit& edit);
  /// The same, and in the same step the record of the timeline that takes its place.
  core::result<void> replace(const timeline_record& successor, const timeline_edit& edit);
  void set_options(const config::tenant_options& options);

  /// Import of a base backup: versions at one LSN, in any key order, written as delta layers [at, at+1) beside the
  /// memory layers (which stay empty until the import is done). The store keeps at most about checkpoint_distance_bytes
  /// in memory. A value at a greater LSN than before begins a new attempt: earlier values are discarded.
  core::result<void> import_value(const core::page_key& key, core::lsn at, core::bytes_view image);
  /// Makes all imported values durable and readable and starts the timeline at `at`: last_record = disk_consistent =
  /// at.
  core::result<void> finish_import(core::lsn at, core::lsn readable_from);

 private:
  /// What opening found.
  struct opened {
    timeline_record record;
    std::vector<layer_map::item> layers;
    std::uint64_t last_number = 0;
    std::vector<std::string> damaged_layers;
    std::vector<std::uint64_t> unchecked_layers;
    std::shared_ptr<side_file_store> side_files = nullptr;
  };
  timeline_store(const context& context, opened found, std::shared_ptr<timeline_store> ancestor);
  using cancelled_check = std::function<bool()>;

  static core::lsn load(const std::atomic<std::uint64_t>& position) {
    return core::lsn(position.load(std::memory_order_acquire));
  }
  static void store(std::atomic<std::uint64_t>& position, core::lsn value) {
    position.store(value.value, std::memory_order_release);
  }

  // -- the snapshot (timeline_store.cpp)
  [[nodiscard]] std::shared_ptr<const timeline_view> current() const;
  /// Replaces the snapshot by a changed copy; one change at a time.
  void change_view(const std::function<void(timeline_view&)>& change);
  /// This timeline's and its ancestors' snapshots for a read as of `at`.
  [[nodiscard]] std::vector<read_level> levels_at(core::lsn at) const;
  /// The levels, unless collection has passed `at`.
  [[nodiscard]] core::result<std::vector<read_level>> readable_levels(core::lsn at) const;
  [[nodiscard]] bool retained(core::lsn at) const;
  [[nodiscard]] config::tenant_options options() const;

  /// Commits an edit in the metadata, then here.
  core::result<void> commit(const timeline_edit& edit, const timeline_record* successor = nullptr);
  /// Commits the exchange of layers and makes it visible. When the metadata refuses, nothing was stored, and the caller
  /// owns the added files.
  core::result<void> exchange_layers(timeline_edit edit);
  core::result<std::unique_ptr<layer_writer>> new_layer(layer_writer_options options);
  void remove_files(const std::vector<layer_record>& layers) const;
  [[nodiscard]] layer_map::item item_of(const layer_record& layer) const;

  // -- timeline_files.cpp
  /// Loads the timeline from metadata and directory, and removes left-overs.
  static core::result<opened> load_files(const context& context, const timeline_record& record);

  // -- flush.cpp
  core::result<layer_record> write_level0(const memory_layer& layer);

  // -- compaction.cpp, image_layers.cpp
  core::result<void> compact_level0(const cancelled_check& cancelled, bool force, compaction_outcome& outcome);
  core::result<void> create_images(const cancelled_check& cancelled, compaction_outcome& outcome);
  /// A key range in which reads need many delta layers.
  struct deep_range {
    core::key_range keys;
    std::size_t depth = 0;
  };
  [[nodiscard]] std::vector<deep_range> deep_ranges(core::lsn at) const;
  [[nodiscard]] bool worth_images(const deep_range& range, const std::vector<core::key_range>& dense,
                                  core::lsn at) const;
  /// The pages that exist, in key order.
  [[nodiscard]] core::result<std::vector<core::key_range>> dense_keys(core::lsn at) const;
  core::result<void> create_dense_images(const core::key_range& range, const std::vector<core::key_range>& dense,
                                         core::lsn at, const cancelled_check& cancelled, compaction_outcome& outcome);
  core::result<void> create_sparse_images(const core::key_range& range, core::lsn at, compaction_outcome& outcome);
  core::result<void> add_images(std::vector<layer_record> images, compaction_outcome& outcome);

  // -- import.cpp
  core::result<void> write_import_run();

  // -- commit_history.cpp
  [[nodiscard]] commit_history history() const;
  void add_history(commit_history& to, core::lsn below) const;
  [[nodiscard]] commit_history::part own_history(core::lsn below) const;
  /// With the steps of the clock, for around(). The first call reads all commit times.
  [[nodiscard]] core::result<void> add_history_in_stretches(commit_history& to, core::lsn below) const;

  friend class image_writer;

  context context_;
  std::shared_ptr<timeline_store> ancestor_;
  std::shared_ptr<side_file_store> side_files_;

  std::atomic<std::uint64_t> last_record_{0};
  std::atomic<std::uint64_t> previous_record_{0};
  std::atomic<std::uint64_t> disk_consistent_{0};
  std::atomic<std::uint64_t> gc_cutoff_{0};
  std::atomic<std::uint64_t> readable_from_{0};
  std::atomic<std::uint64_t> last_number_;

  mutable std::mutex record_mutex_;
  timeline_record record_;             // guarded by record_mutex_
  config::tenant_options options_;     // guarded by record_mutex_
  std::vector<core::lsn> retained_;    // guarded by record_mutex_
  std::optional<wal_trace> received_;  // guarded by record_mutex_

  std::mutex change_mutex_;        // held while a new snapshot is made
  mutable std::mutex view_mutex_;  // held while the pointer is read or replaced
  std::shared_ptr<const timeline_view> view_;

  std::mutex check_mutex_;                       // held for a whole check
  std::vector<std::uint64_t> unchecked_layers_;  // guarded by check_mutex_
  mutable std::mutex damage_mutex_;
  std::vector<std::string> damaged_layers_;  // guarded by damage_mutex_

  mutable std::mutex clock_steps_mutex_;
  mutable clock_steps clock_steps_;  // guarded by clock_steps_mutex_

  // Used by the writer only.
  std::optional<core::monotonic_time> open_since_;

  std::mutex import_mutex_;
  std::unique_ptr<write_batch> import_run_;  // guarded by import_mutex_
  core::lsn import_at_;                      // guarded by import_mutex_
  std::vector<layer_record> imported_;       // guarded by import_mutex_
};

}  // namespace strata::storage
