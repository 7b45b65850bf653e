#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class Cache;
}

namespace strata::storage {

/// The bounded memory for blocks of layer files, least recently used go first; over all tenants. Shared by both layer
/// formats. Private to the layer files: what is cached is checked and decompressed.
class block_cache {
 public:
  explicit block_cache(std::uint64_t capacity_bytes);
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] const std::shared_ptr<rocksdb::Cache>& get() const { return cache_; }

 private:
  std::shared_ptr<rocksdb::Cache> cache_;
};

}  // namespace strata::storage
