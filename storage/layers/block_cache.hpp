#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace rocksdb {
class Cache;
}

namespace strata::storage {

/// The content of a block: pinned in the cache while this object exists, or owned.
class block_content {
 public:
  block_content() = default;
  explicit block_content(core::bytes own) : own_(std::move(own)), view_(own_) {}
  block_content(block_content&& from) noexcept { swap(from); }
  block_content& operator=(block_content&& from) noexcept {
    swap(from);
    return *this;
  }
  ~block_content();
  [[nodiscard]] core::bytes_view view() const { return view_; }

 private:
  friend class block_cache;
  /// `handle` is the cache's rocksdb::Cache::Handle*.
  block_content(rocksdb::Cache* cache, void* handle);
  void swap(block_content& other) noexcept;

  rocksdb::Cache* cache_ = nullptr;
  void* handle_ = nullptr;
  core::bytes own_;
  core::bytes_view view_;
};

/// The bounded cache for blocks of layer files, over all tenants; evicts the least recently used. Cached blocks are
/// checked and decompressed. Copies share the memory. Thread safe. Private to the layer files.
class block_cache {
 public:
  explicit block_cache(std::uint64_t capacity_bytes);

  /// A number that no other file in the cache uses.
  [[nodiscard]] std::uint64_t new_file() const;
  [[nodiscard]] std::optional<block_content> find(std::uint64_t file, std::uint64_t offset) const;
  /// errc::io_error when the cache refuses the block.
  [[nodiscard]] core::result<block_content> insert(std::uint64_t file, std::uint64_t offset, core::bytes content) const;

 private:
  std::shared_ptr<rocksdb::Cache> cache_;
};

}  // namespace strata::storage
