#include "storage/layers/block_cache.hpp"

#include <rocksdb/cache.h>

namespace strata::storage {

block_cache::block_cache(std::uint64_t capacity_bytes) : cache_(rocksdb::NewLRUCache(capacity_bytes, 4)) {}

std::uint64_t block_cache::used_bytes() const { return cache_->GetUsage(); }

}  // namespace strata::storage
