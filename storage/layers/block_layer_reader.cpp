#include <algorithm>
#include <array>
#include <cstring>

#include "storage/layers/layer_file.hpp"

namespace strata::storage {

using namespace block_format;

layer_reader::layer_reader(std::unique_ptr<io::file> file, std::string path, std::uint64_t seed, footer end,
                           const block_cache& cache)
    : file_(std::move(file)),
      path_(std::move(path)),
      seed_(seed),
      footer_(std::move(end)),
      cache_(cache),
      // Not the layer's number: blocks that were cached for a file of that number, since replaced, are never found.
      cache_id_(cache_.new_file()) {}

core::result<std::shared_ptr<const layer_reader>> layer_reader::open(const std::string& path,
                                                                     const layer_identity& expected,
                                                                     const block_cache& cache, io::disk& on) {
  STRATA_ASSIGN(auto file, on.open_for_reading(path));
  STRATA_ASSIGN(const std::uint64_t size, file->size());
  if (size < header_size + footer_size || (expected.layer.size_bytes != 0 && size != expected.layer.size_bytes))
    return core::error{core::errc::corrupt, "open layer " + path + ": its size is " + std::to_string(size) +
                                                " instead of " + std::to_string(expected.layer.size_bytes) + " bytes"};
  core::bytes raw(header_size);
  STRATA_TRY(io::read_at(*file, 0, raw, path));
  if (!std::equal(magic.begin(), magic.end(), raw.begin()))
    return core::error{core::errc::corrupt, "open layer " + path + ": not a layer of Strata"};
  if (core::load_le<std::uint32_t>(&raw[magic.size()]) != version)
    return core::error{core::errc::unsupported, "open layer " + path + ": format version " +
                                                    std::to_string(core::load_le<std::uint32_t>(&raw[magic.size()])) +
                                                    " is not supported"};
  raw.resize(footer_size);
  STRATA_TRY(io::read_at(*file, size - footer_size, raw, path));
  STRATA_ASSIGN(footer end, decode_footer(raw, path));
  STRATA_TRY(check_identity(end.identity, expected, path));
  for (const block_place& place : {end.index, end.filter})
    if (place.offset > size || place.stored_size > size - place.offset)
      return core::error{core::errc::corrupt, "open layer " + path + ": index or filter lies outside of the file"};
  const std::uint64_t seed =
      file_seed(expected.tenant, expected.timeline, expected.layer.number, expected.layer.generation);
  return std::shared_ptr<const layer_reader>(new layer_reader(std::move(file), path, seed, std::move(end), cache));
}

core::result<block_content> layer_reader::load(block_place place, const layer_read_options& options, bool keep) const {
  if (auto found = cache_.find(cache_id_, place.offset)) return *std::move(found);
  if (options.memory_only)
    return core::error{core::errc::would_block, "layer " + path_ + ": the block is not in memory"};
  core::bytes stored(place.stored_size);
  STRATA_TRY(io::read_at(*file_, place.offset, stored, path_));
  STRATA_ASSIGN(core::bytes content, unpack(std::move(stored), seed_, place.offset, path_));
  if (!keep) return block_content(std::move(content));
  auto kept = cache_.insert(cache_id_, place.offset, std::move(content));
  if (!kept) return std::move(kept).error().within("cache a block of " + path_);
  return kept;
}

bool layer_cursor::find(const core::page_key& key, core::lsn at) {
  failure_.reset();
  if (!load_once(filter_, layer_->footer_.filter)) return false;
  if (!filter_may_contain(filter_.view(), filter_hash(key))) return false;
  return seek(key, at) && key_ == key;
}

bool layer_cursor::seek(const core::page_key& key, core::lsn at) {
  failure_.reset();
  if (!load_once(index_, layer_->footer_.index)) return false;
  if (index_.view().size() % index_entry_size != 0) return damaged(layer_->footer_.index);
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
  // In the current block and not after the target: continue from here, for reads of many keys in order.
  const bool resume = positioned_ && wanted == block_ && entries_.compare(target.data(), at) <= 0;
  if (!resume && !enter(wanted)) return false;
  if (resume && entries_.compare(target.data(), at) == 0) return take();
  while (advance())
    if (entries_.compare(target.data(), at) >= 0) return take();
  return false;
}

bool layer_cursor::fail(core::error why) {
  failure_ = std::move(why);
  positioned_ = false;
  return false;
}
bool layer_cursor::damaged(block_place place) {
  return fail({core::errc::corrupt, "read layer " + layer_->path_ + ": block at offset " +
                                        std::to_string(place.offset) + ": its entries are malformed"});
}

/// Index and filter stay in the cache even for scans: they are small, and reads need them.
bool layer_cursor::load_once(block_content& into, block_place place) {
  if (into.view().data() != nullptr || place.stored_size == 0) return true;
  auto loaded = layer_->load(place, options_, true);
  if (!loaded) return fail(std::move(loaded).error());
  into = *std::move(loaded);
  return true;
}

/// Moves before the first entry of a block.
bool layer_cursor::enter(std::size_t block) {
  positioned_ = false;
  if (block >= blocks()) return false;
  auto loaded = layer_->load(place_in_entry(entry_of(block)), options_, options_.fill_cache);
  if (!loaded) return fail(std::move(loaded).error());
  content_ = *std::move(loaded);
  block_ = block;
  entries_ = entry_decoder(content_.view());
  return true;
}

bool layer_cursor::advance() {
  for (;;) {
    if (entries_.next()) return positioned_ = true;
    if (entries_.damaged()) return damaged(place_in_entry(entry_of(block_)));
    if (!enter(block_ + 1)) return false;
  }
}

bool layer_cursor::take() {
  key_ = core::page_key::decode(entries_.key());
  return true;
}

}  // namespace strata::storage
