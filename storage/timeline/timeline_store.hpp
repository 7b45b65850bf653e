#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "pg/redo/redo.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/write_batch.hpp"

namespace strata::storage {

class layer_cache;   // open layer files and the shared block cache of one server (storage/layers/layer_cache.hpp)
class memory_layer;  // storage/layers/memory_layer.hpp

/// May a read wait for the disk?
enum class read_mode { memory_only, may_block };

/// One page of a vectored read: the caller's 8 KiB, and how it went.
struct page_read {
  core::page_key key;
  core::bytes_span page;
  std::optional<core::error> failure;
};

struct timeline_counters {
  std::uint64_t layers = 0, layer_bytes = 0, l0_layers = 0, memory_bytes = 0, frozen_layers = 0;
};

/// What "the LSN at a time" can answer: like recovery_target_time, the LSN is the end of the last transaction before
/// the first one that ended after the time.
struct lsn_at_time {
  enum class kind { present, future, past, no_data } answer = kind::no_data;
  core::lsn at;
};

/// All versions of all values of one timeline: an open memory layer, frozen ones, and layer files; below them the
/// ancestor. Reads may come from any thread and see an immutable picture. Writes come from one thread at a time (its
/// timeline actor); flush, compaction and collection from one background thread each.
class timeline_store {
 public:
  struct context {
    metadata_store* metadata = nullptr;
    layer_cache* layers = nullptr;
    const core::clock* clock = nullptr;
    std::string directory;  ///< of this timeline's layer files
    config::tenant_options options;
  };

  /// Loads the layer index, removes temporary files and sets layer files aside that the metadata does not name. A named
  /// file that is missing or not what it says is in damaged_layers(), and reads that need it fail. `ancestor` is set
  /// iff record.ancestor is, and outlives nothing: it is kept alive.
  static core::result<std::shared_ptr<timeline_store>> open(const context& context, const timeline_record& record,
                                                            std::shared_ptr<timeline_store> ancestor);
  virtual ~timeline_store() = default;

  // -- any thread -------------------------------------------------------------------------------------------------

  [[nodiscard]] virtual timeline_record record() const = 0;
  [[nodiscard]] virtual const std::shared_ptr<timeline_store>& ancestor() const = 0;
  [[nodiscard]] virtual core::lsn last_record_lsn() const = 0;
  /// Start of the record that ends at last_record_lsn; 0 when unknown.
  [[nodiscard]] virtual core::lsn previous_record_lsn() const = 0;
  /// Of the WAL before last_record_lsn; nullopt when none of it was received from a source.
  [[nodiscard]] virtual std::optional<wal_trace> received() const = 0;
  [[nodiscard]] virtual core::lsn disk_consistent_lsn() const = 0;
  [[nodiscard]] virtual core::lsn gc_cutoff() const = 0;
  [[nodiscard]] virtual timeline_counters counters() const = 0;
  [[nodiscard]] virtual std::vector<layer_record> layers() const = 0;
  /// What opening found wrong with layer files, one text each, naming the file.
  [[nodiscard]] virtual const std::vector<std::string>& damaged_layers() const = 0;
  [[nodiscard]] virtual pg::redo::redo_context redo_context() const = 0;

  /// errc::out_of_range, with the window that can be read, unless readable_from and gc_cutoff <= at <= last_record_lsn.
  virtual core::result<void> check_readable(core::lsn at) const = 0;

  /// Rebuilds pages as of `at` (versions <= at). Each read succeeds or fails on its own; memory_only gives
  /// errc::would_block for pages that need the disk. Precondition: at <= last_record_lsn (the caller has waited). Does
  /// not check the window.
  virtual void read_pages(std::span<page_read> reads, core::lsn at, read_mode mode) const = 0;
  /// The value of a sparse key, nullopt when it does not exist as of `at`.
  virtual core::result<std::optional<core::bytes>> read_value(const core::page_key& key, core::lsn at,
                                                              read_mode mode) const = 0;
  /// All existing sparse keys of a range in key order, until the visitor returns false. Blocks.
  virtual core::result<void> scan(
      const core::key_range& keys, core::lsn at,
      const std::function<bool(const core::page_key&, core::bytes_view)>& visitor) const = 0;

  virtual core::result<lsn_at_time> find_lsn(pg::timestamp time) const = 0;
  /// The time of the last transaction that ended at or before `at`.
  virtual core::result<std::optional<pg::timestamp>> find_time(core::lsn at) const = 0;

  // -- the writer -------------------------------------------------------------------------------------------------

  /// Takes a batch over and advances last_record_lsn to its end; visible to readers as a whole.
  /// Precondition: the batch begins at or after last_record_lsn.
  virtual void append(write_batch&& batch) = 0;
  /// The open layer has reached its size or distance, or its age limit.
  [[nodiscard]] virtual bool freeze_due() const = 0;
  /// Freezes the open layer if it holds anything or last_record_lsn moved; true if there is something to flush.
  virtual bool freeze() = 0;
  /// Frozen layers not yet on disk; the writer stops taking batches when there are two or more.
  [[nodiscard]] virtual std::size_t frozen_count() const = 0;

  // -- background (one of each at a time) ---------------------------------------------------------------------------

  /// Writes the oldest frozen layer to an L0 file, makes it durable, commits it and advances disk_consistent_lsn.
  /// Nothing moves when it fails; a failed fsync ends the process. Returns the new disk_consistent_lsn; not_found when
  /// nothing is frozen.
  virtual core::result<core::lsn> flush_oldest() = 0;

  struct compaction_outcome {
    std::size_t layers_in = 0, layers_out = 0, images_out = 0;
    std::uint64_t bytes_in = 0, bytes_out = 0;
  };
  /// One step: L0 -> L1 when there are enough L0 layers (or `force`), then image layers where deltas are deep. Reads go
  /// on.
  virtual core::result<compaction_outcome> compact(bool force, const std::function<bool()>& cancelled) = 0;

  struct retention {
    core::lsn cutoff;                      ///< the LSN that horizon and interval allow to forget below
    std::vector<core::lsn> branch_points;  ///< and leased LSNs: stay readable
  };
  /// The cutoff that the options ask for, counted from the newest commit (0 when history is shorter than they ask to
  /// keep); `horizon_bytes` in place of their gc_horizon, where 0 keeps no more than the head. `source_ahead`: the
  /// source's clock minus this machine's, if it said. errc::conflict when clocks disagree.
  virtual core::result<core::lsn> plan_gc_cutoff(std::optional<std::chrono::microseconds> source_ahead,
                                                 std::optional<std::uint64_t> horizon_bytes = {}) const = 0;
  struct gc_outcome {
    std::size_t removed = 0;
    std::uint64_t removed_bytes = 0;
    core::lsn cutoff;
  };
  /// Publishes the cutoff, waits for readers below it, commits it, then removes layers nobody can need.
  virtual core::result<gc_outcome> collect(const retention& keep) = 0;

  /// State, readable_from and flags kept in the metadata; durable on return.
  virtual core::result<void> update(const timeline_edit& edit) = 0;
  virtual void set_options(const config::tenant_options& options) = 0;

  /// Import of a base backup: versions at one LSN, in any key order, written as delta layers [at, at+1) beside the
  /// memory layers (which stay empty until the import is done). The store keeps at most about checkpoint_distance_bytes
  /// in memory. A value at a greater LSN than before is a new attempt: what was imported is forgotten.
  virtual core::result<void> import_value(const core::page_key& key, core::lsn at, core::bytes_view image) = 0;
  /// Makes all imported values durable and readable and starts the timeline at `at`: last_record = disk_consistent =
  /// at.
  virtual core::result<void> finish_import(core::lsn at, core::lsn readable_from) = 0;
};

}  // namespace strata::storage
