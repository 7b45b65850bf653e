#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/layer_map.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/layers/memory_spans.hpp"
#include "storage/timeline/commit_history.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"

/// The timeline store over local files. Its parts, a file each: local_timeline (state, reads, writer), flush,
/// compaction, image_layers, garbage_collection, import, commit_history, timeline_files (what opening finds). Private
/// to storage.
namespace strata::storage {

class local_timeline final : public timeline_store {
 public:
  /// What opening found (timeline_files.cpp).
  struct opened {
    timeline_record record;
    std::vector<layer_map::item> layers;
    std::uint64_t last_number = 0;
    std::vector<std::string> damaged_layers;
  };
  local_timeline(const context& context, opened found, std::shared_ptr<local_timeline> ancestor);

  timeline_record record() const override;
  const std::shared_ptr<timeline_store>& ancestor() const override { return ancestor_; }
  core::lsn last_record_lsn() const override { return load(last_record_); }
  core::lsn previous_record_lsn() const override { return load(previous_record_); }
  std::optional<wal_trace> received() const override;
  core::lsn disk_consistent_lsn() const override { return load(disk_consistent_); }
  core::lsn gc_cutoff() const override { return load(gc_cutoff_); }
  timeline_counters counters() const override;
  std::vector<layer_record> layers() const override;
  [[nodiscard]] const std::vector<std::string>& damaged_layers() const override { return damaged_layers_; }
  [[nodiscard]] std::vector<memory_span> memory_spans() const;
  pg::redo::redo_context redo_context() const override;

  core::result<void> check_readable(core::lsn at) const override;
  void read_pages(std::span<page_read> reads, core::lsn at, read_mode mode) const override;
  core::result<std::optional<core::bytes>> read_value(const core::page_key& key, core::lsn at,
                                                      read_mode mode) const override;
  core::result<void> scan(const core::key_range& keys, core::lsn at,
                          const std::function<bool(const core::page_key&, core::bytes_view)>& visitor) const override;
  core::result<lsn_at_time> find_lsn(pg::timestamp time) const override;
  core::result<std::optional<pg::timestamp>> find_time(core::lsn at) const override;

  void append(write_batch&& batch) override;
  [[nodiscard]] bool freeze_due() const override;
  bool freeze() override;
  [[nodiscard]] std::size_t frozen_count() const override { return current()->memory.size() - 1; }

  core::result<core::lsn> flush_oldest() override;
  core::result<compaction_outcome> compact(bool force, const std::function<bool()>& cancelled) override;
  core::result<core::lsn> plan_gc_cutoff(std::optional<std::chrono::microseconds> source_ahead,
                                         std::optional<std::uint64_t> horizon_bytes) const override;
  core::result<gc_outcome> collect(const retention& keep) override;
  core::result<void> update(const timeline_edit& edit) override;
  void set_options(const config::tenant_options& options) override;
  core::result<void> import_value(const core::page_key& key, core::lsn at, core::bytes_view image) override;
  core::result<void> finish_import(core::lsn at, core::lsn readable_from) override;

 private:
  using cancelled_check = std::function<bool()>;

  static core::lsn load(const std::atomic<std::uint64_t>& position) {
    return core::lsn(position.load(std::memory_order_acquire));
  }
  static void store(std::atomic<std::uint64_t>& position, core::lsn value) {
    position.store(value.value, std::memory_order_release);
  }

  // -- the picture (local_timeline.cpp)
  [[nodiscard]] std::shared_ptr<const timeline_view> current() const;
  /// Replaces the picture by a changed copy; one change at a time.
  void change_view(const std::function<void(timeline_view&)>& change);
  /// This timeline's and its ancestors' pictures for a read as of `at`.
  [[nodiscard]] std::vector<read_level> levels_at(core::lsn at) const;
  /// The levels, unless collection has passed `at`.
  [[nodiscard]] core::result<std::vector<read_level>> readable_levels(core::lsn at) const;
  [[nodiscard]] bool retained(core::lsn at) const;
  [[nodiscard]] config::tenant_options options() const;

  /// Commits an edit in the metadata, then here.
  core::result<void> commit(const timeline_edit& edit);
  /// Commits the exchange of layers and makes it visible. When the metadata refuses, nothing was stored, and the added
  /// files are the caller's.
  core::result<void> exchange_layers(timeline_edit edit);
  core::result<std::unique_ptr<layer_writer>> new_layer(layer_writer_options options);
  void remove_files(const std::vector<layer_record>& layers) const;
  [[nodiscard]] layer_map::item item_of(const layer_record& layer) const;

  // -- flush.cpp
  core::result<layer_record> write_level0(const memory_layer& layer);

  // -- compaction.cpp, image_layers.cpp
  core::result<void> compact_level0(const cancelled_check& cancelled, bool force, compaction_outcome& outcome);
  core::result<void> create_images(const cancelled_check& cancelled, compaction_outcome& outcome);
  /// A key range in which reads have to look into many delta layers.
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
  std::shared_ptr<local_timeline> local_ancestor_;
  std::shared_ptr<timeline_store> ancestor_;

  std::atomic<std::uint64_t> last_record_{0};
  std::atomic<std::uint64_t> previous_record_{0};
  std::atomic<std::uint64_t> disk_consistent_{0};
  std::atomic<std::uint64_t> gc_cutoff_{0};
  std::atomic<std::uint64_t> readable_from_{0};
  std::atomic<std::uint64_t> last_number_;
  const std::vector<std::string> damaged_layers_;

  mutable std::mutex record_mutex_;
  timeline_record record_;             // guarded by record_mutex_
  config::tenant_options options_;     // guarded by record_mutex_
  std::vector<core::lsn> retained_;    // guarded by record_mutex_
  std::optional<wal_trace> received_;  // guarded by record_mutex_

  std::mutex change_mutex_;        // held while a new picture is made
  mutable std::mutex view_mutex_;  // held while the pointer is read or replaced
  std::shared_ptr<const timeline_view> view_;

  mutable std::mutex clock_steps_mutex_;
  mutable clock_steps clock_steps_;  // guarded by clock_steps_mutex_

  // Of the writer alone.
  std::optional<core::monotonic_time> open_since_;

  std::mutex import_mutex_;
  std::unique_ptr<write_batch> import_run_;  // guarded by import_mutex_
  core::lsn import_at_;                      // guarded by import_mutex_
  std::vector<layer_record> imported_;       // guarded by import_mutex_
};

/// Loads what metadata and directory say of a timeline, and clears leftovers away (timeline_files.cpp).
core::result<local_timeline::opened> load_timeline_files(const timeline_store::context& context,
                                                         const timeline_record& record);

}  // namespace strata::storage
