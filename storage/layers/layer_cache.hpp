#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"
#include "storage/layers/block_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/page_read.hpp"

namespace strata::storage {

class layer_cache;

/// A layer that the metadata names, shared by the layer maps. Once retired, its file is queued for removal when the
/// last map that has it is gone, so that readers of older maps are not disturbed. `cache` outlives it.
class stored_layer {
 public:
  stored_layer(layer_cache& cache, std::string directory, const layer_identity& identity);
  ~stored_layer();
  stored_layer(const stored_layer&) = delete;
  stored_layer& operator=(const stored_layer&) = delete;

  [[nodiscard]] const layer_record& record() const { return identity_.layer; }
  [[nodiscard]] const layer_identity& identity() const { return identity_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t ticket() const { return ticket_; }
  /// The metadata no longer names it.
  void retire() { retired_.store(true, std::memory_order_relaxed); }

  /// Its open reader, from the cache or newly opened: a layer is first opened by the first read that needs it.
  /// memory_only: errc::would_block when it is not open. errc::corrupt when the file of a local layer is missing,
  /// errc::unavailable when the layer is remote.
  [[nodiscard]] core::result<std::shared_ptr<const layer_reader>> reader(read_mode mode) const;

 private:
  layer_cache& cache_;
  layer_identity identity_;
  std::string path_;
  std::uint64_t ticket_;
  std::atomic<bool> retired_ = false;
};

/// The open layer files of one server, over one bounded cache of their blocks, and their disk, which outlives it.
/// Closes the least recently used. Thread safe.
class layer_cache {
 public:
  layer_cache(std::uint64_t block_cache_bytes, std::uint32_t open_layers_max, io::disk& on = io::real_disk());
  ~layer_cache() { remove_retired(); }
  layer_cache(const layer_cache&) = delete;
  layer_cache& operator=(const layer_cache&) = delete;

  core::result<std::shared_ptr<const layer_reader>> get(const stored_layer& layer, read_mode mode);
  void forget(std::uint64_t ticket);

  /// Queues the file of a retired layer. Never waits for the disk: the last reader of a layer may be any thread.
  void queue_removal(std::string path);
  /// Removes the files in the queue.
  void remove_retired();

  std::uint64_t next_ticket() { return tickets_.fetch_add(1, std::memory_order_relaxed); }
  block_cache& blocks() { return blocks_; }
  [[nodiscard]] io::disk& disk() const { return disk_; }

 private:
  struct open_layer {
    std::uint64_t ticket;
    std::shared_ptr<const layer_reader> reader;
  };
  io::disk& disk_;
  block_cache blocks_;
  const std::uint32_t open_layers_max_;
  std::atomic<std::uint64_t> tickets_{1};
  std::mutex mutex_;
  std::list<open_layer> recent_;  // most recently used first; guarded by mutex_
  std::unordered_map<std::uint64_t, std::list<open_layer>::iterator> by_ticket_;  // guarded by mutex_
  std::vector<std::string> retired_;  // at most one path for each layer that was retired; guarded by mutex_
};

/// Removes the retired files at the end of a step that may have retired some: first in the step, so that it ends after
/// the step's own snapshots.
class removal_of_retired {
 public:
  explicit removal_of_retired(layer_cache& in) : in_(in) {}
  ~removal_of_retired() { in_.remove_retired(); }
  removal_of_retired(const removal_of_retired&) = delete;
  removal_of_retired& operator=(const removal_of_retired&) = delete;

 private:
  layer_cache& in_;
};

}  // namespace strata::storage
