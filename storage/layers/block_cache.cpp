#include "storage/layers/block_cache.hpp"

#include <rocksdb/cache.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace strata::storage {

namespace {

std::array<char, 24> key_of(std::uint64_t file, std::uint64_t offset) {
  std::array<char, 24> key{'S', 't', 'r', 'a', 't', 'a', 'L', 'B'};
  std::memcpy(&key[8], &file, 8);
  std::memcpy(&key[16], &offset, 8);
  return key;
}

}  // namespace

block_content::block_content(rocksdb::Cache* cache, void* handle)
    : cache_(cache),
      handle_(handle),
      view_(*static_cast<const core::bytes*>(cache->Value(static_cast<rocksdb::Cache::Handle*>(handle)))) {}

block_content::~block_content() {
  if (handle_ != nullptr) cache_->Release(static_cast<rocksdb::Cache::Handle*>(handle_));
}

void block_content::swap(block_content& other) noexcept {
  std::swap(cache_, other.cache_);
  std::swap(handle_, other.handle_);
  std::swap(own_, other.own_);
  std::swap(view_, other.view_);
}

block_cache::block_cache(std::uint64_t capacity_bytes) : cache_(rocksdb::NewLRUCache(capacity_bytes, 4)) {}

std::uint64_t block_cache::new_file() const { return cache_->NewId(); }

std::optional<block_content> block_cache::find(std::uint64_t file, std::uint64_t offset) const {
  const auto key = key_of(file, offset);
  rocksdb::Cache::Handle* found = cache_->Lookup({key.data(), key.size()});
  if (found == nullptr) return std::nullopt;
  return block_content(cache_.get(), found);
}

core::result<block_content> block_cache::insert(std::uint64_t file, std::uint64_t offset, core::bytes content) const {
  const auto key = key_of(file, offset);
  auto* cached = new core::bytes(std::move(content));
  rocksdb::Cache::Handle* handle = nullptr;
  const rocksdb::Status status = cache_->Insert(
      {key.data(), key.size()}, cached, cached->capacity() + sizeof(core::bytes),
      [](const rocksdb::Slice&, void* value) { delete static_cast<core::bytes*>(value); }, &handle);
  if (!status.ok()) return core::error{core::errc::io_error, status.ToString()};
  return block_content(cache_.get(), handle);
}

}  // namespace strata::storage
