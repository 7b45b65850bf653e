#include <rocksdb/cache.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "storage/layers/block_cache.hpp"
#include "storage/layers/block_layer.hpp"
#include "storage/layers/block_layer_format.hpp"

namespace strata::storage {

namespace {

using namespace block_format;

/// The content of a block: held in the cache, or our own.
class block_content {
 public:
  block_content() = default;
  explicit block_content(core::bytes own) : own_(std::move(own)), view_(own_) {}
  block_content(rocksdb::Cache* cache, rocksdb::Cache::Handle* handle)
      : cache_(cache), handle_(handle), view_(*static_cast<const core::bytes*>(cache->Value(handle))) {}
  block_content(block_content&& from) noexcept { *this = std::move(from); }
  block_content& operator=(block_content&& from) noexcept {
    std::swap(cache_, from.cache_);
    std::swap(handle_, from.handle_);
    std::swap(own_, from.own_);
    std::swap(view_, from.view_);
    return *this;
  }
  ~block_content() {
    if (handle_ != nullptr) cache_->Release(handle_);
  }
  [[nodiscard]] core::bytes_view view() const { return view_; }

 private:
  rocksdb::Cache* cache_ = nullptr;
  rocksdb::Cache::Handle* handle_ = nullptr;
  core::bytes own_;
  core::bytes_view view_;
};

class block_layer_reader final : public layer_reader {
 public:
  block_layer_reader(io::unique_fd file, std::string path, std::uint64_t seed, footer end,
                     std::shared_ptr<rocksdb::Cache> cache)
      : file_(std::move(file)),
        path_(std::move(path)),
        seed_(seed),
        footer_(std::move(end)),
        cache_(std::move(cache)),
        // Never the number of a file: what another opening cached, of a file since replaced, is never found.
        cache_id_(cache_->NewId()) {}

  [[nodiscard]] std::unique_ptr<layer_cursor> cursor(const layer_read_options& options) const override;

  [[nodiscard]] const footer& end() const { return footer_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  core::result<block_content> load(block_place place, const layer_read_options& options, bool keep) const {
    std::array<char, 24> key{'S', 't', 'r', 'a', 't', 'a', 'L', 'B'};
    std::memcpy(&key[8], &cache_id_, 8);
    std::memcpy(&key[16], &place.offset, 8);
    const rocksdb::Slice cache_key(key.data(), key.size());
    if (rocksdb::Cache::Handle* found = cache_->Lookup(cache_key)) return block_content(cache_.get(), found);
    if (options.memory_only)
      return core::error{core::errc::would_block, "layer " + path_ + ": the block is not in memory"};
    core::bytes stored(place.stored_size);
    STRATA_TRY(io::read_at(file_, place.offset, stored, path_));
    STRATA_ASSIGN(core::bytes content, unpack(std::move(stored), seed_, place.offset, path_));
    if (!keep) return block_content(std::move(content));
    auto* cached = new core::bytes(std::move(content));
    rocksdb::Cache::Handle* handle = nullptr;
    const rocksdb::Status status = cache_->Insert(
        cache_key, cached, cached->capacity() + sizeof(core::bytes),
        [](const rocksdb::Slice&, void* value) { delete static_cast<core::bytes*>(value); }, &handle);
    if (!status.ok()) return core::error{core::errc::io_error, "cache a block of " + path_ + ": " + status.ToString()};
    return block_content(cache_.get(), handle);
  }

 private:
  io::unique_fd file_;
  std::string path_;
  std::uint64_t seed_;
  footer footer_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::uint64_t cache_id_;
};

class block_layer_cursor final : public layer_cursor {
 public:
  block_layer_cursor(const block_layer_reader& layer, const layer_read_options& options)
      : layer_(layer), options_(options) {}

  bool find(const core::page_key& key, core::lsn at) override {
    failure_.reset();
    if (!load_once(filter_, layer_.end().filter)) return false;
    if (!filter_may_contain(filter_.view(), filter_hash(key))) return false;
    return seek(key, at) && key_ == key;
  }

  bool seek(const core::page_key& key, core::lsn at) override {
    failure_.reset();
    if (!load_once(index_, layer_.end().index)) return false;
    if (index_.view().size() % index_entry_size != 0) return damaged(layer_.end().index);
    std::array<std::uint8_t, version_key_size> target{};
    encode_version_key(key, at, target.data());

    // The last block that begins at or before the target; the first one otherwise.
    std::size_t low = 0;
    std::size_t high = blocks();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (std::memcmp(entry_of(middle), target.data(), version_key_size) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const std::size_t wanted = low == 0 ? 0 : low - 1;
    // In the block at hand and not behind the target: go on from here, for reads of many keys in order.
    const bool resume = positioned_ && wanted == block_ && entries_.compare(target.data(), at) <= 0;
    if (!resume && !enter(wanted)) return false;
    if (resume && entries_.compare(target.data(), at) == 0) return take();
    while (advance())
      if (entries_.compare(target.data(), at) >= 0) return take();
    return false;
  }

  bool next() override { return advance() && take(); }

  [[nodiscard]] const core::error* failure() const override { return failure_ ? &*failure_ : nullptr; }

 private:
  [[nodiscard]] std::size_t blocks() const { return index_.view().size() / index_entry_size; }
  [[nodiscard]] const std::uint8_t* entry_of(std::size_t block) const {
    return index_.view().data() + block * index_entry_size;
  }

  bool fail(core::error e) {
    failure_ = std::move(e);
    positioned_ = false;
    return false;
  }
  bool damaged(block_place place) {
    return fail({core::errc::corrupt, "read layer " + layer_.path() + ": block at offset " +
                                          std::to_string(place.offset) + ": its entries make no sense"});
  }

  /// Index and filter stay in the cache even for scans: they are small, and others need them.
  bool load_once(block_content& into, block_place place) {
    if (into.view().data() != nullptr || place.stored_size == 0) return true;
    auto loaded = layer_.load(place, options_, true);
    if (!loaded) return fail(std::move(loaded).error());
    into = *std::move(loaded);
    return true;
  }

  /// To before the first entry of a block.
  bool enter(std::size_t block) {
    positioned_ = false;
    if (block >= blocks()) return false;
    auto loaded = layer_.load(place_in_entry(entry_of(block)), options_, options_.fill_cache);
    if (!loaded) return fail(std::move(loaded).error());
    content_ = *std::move(loaded);
    block_ = block;
    entries_ = entry_decoder(content_.view());
    return true;
  }

  bool advance() {
    for (;;) {
      if (entries_.next()) return positioned_ = true;
      if (entries_.damaged()) return damaged(place_in_entry(entry_of(block_)));
      if (!enter(block_ + 1)) return false;
    }
  }

  bool take() {
    key_ = core::page_key::decode(entries_.key());
    at_ = entries_.at();
    value_ = entries_.value();
    return true;
  }

  const block_layer_reader& layer_;
  layer_read_options options_;
  block_content index_;
  block_content filter_;
  block_content content_;
  std::size_t block_ = 0;
  entry_decoder entries_;
  bool positioned_ = false;
  std::optional<core::error> failure_;
};

std::unique_ptr<layer_cursor> block_layer_reader::cursor(const layer_read_options& options) const {
  return std::make_unique<block_layer_cursor>(*this, options);
}

}  // namespace

core::result<std::shared_ptr<const layer_reader>> open_block_layer(io::unique_fd file, const std::string& path,
                                                                   const layer_identity& expected, block_cache& cache) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return core::from_errno("open layer " + path, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < header_size + footer_size || (expected.layer.size_bytes != 0 && size != expected.layer.size_bytes))
    return core::error{core::errc::corrupt, "open layer " + path + ": its size is " + std::to_string(size) +
                                                " instead of " + std::to_string(expected.layer.size_bytes) + " bytes"};
  core::bytes raw(header_size);
  STRATA_TRY(io::read_at(file, 0, raw, path));
  if (core::load_le<std::uint32_t>(&raw[block_layer_magic.size()]) != version)
    return core::error{core::errc::unsupported, "open layer " + path + ": format version " +
                                                    std::to_string(core::load_le<std::uint32_t>(&raw[8])) +
                                                    " is not known"};
  raw.resize(footer_size);
  STRATA_TRY(io::read_at(file, size - footer_size, raw, path));
  STRATA_ASSIGN(footer end, decode_footer(raw, path));
  STRATA_TRY(check_identity(end.identity, expected, path));
  for (const block_place& place : {end.index, end.filter})
    if (place.offset > size || place.stored_size > size - place.offset)
      return core::error{core::errc::corrupt, "open layer " + path + ": index or filter lies outside of the file"};
  const std::uint64_t seed = file_seed(expected.tenant, expected.timeline, expected.layer.number);
  return std::shared_ptr<const layer_reader>(
      std::make_shared<block_layer_reader>(std::move(file), path, seed, std::move(end), cache.get()));
}

}  // namespace strata::storage
