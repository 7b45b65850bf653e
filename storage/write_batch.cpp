#include "storage/write_batch.hpp"

#include <algorithm>
#include <limits>

#include "core/check.hpp"

namespace strata::storage {

namespace {
constexpr std::size_t first_chunk_size_bytes = 16u << 10;
}

write_batch::write_batch(std::size_t chunk_size_bytes) : chunk_size_bytes_(chunk_size_bytes) {}

std::uint8_t* write_batch::reserve(const core::page_key& key, core::lsn at, std::size_t size) {
  core::check(size > 0 && size <= std::numeric_limits<std::uint32_t>::max(), "size of a value");
  if (chunks_.empty() || chunks_.back().size - chunks_.back().used < size) {
    // Batches of a quiet source are small and do not need a whole chunk.
    const std::size_t usual = chunks_.empty() ? std::min(first_chunk_size_bytes, chunk_size_bytes_) : chunk_size_bytes_;
    const std::size_t allocated = std::max(usual, size);
    chunks_.push_back({std::make_unique_for_overwrite<std::uint8_t[]>(allocated), 0, allocated});
  }
  chunk& last = chunks_.back();
  std::uint8_t* value = last.bytes.get() + last.used;
  last.used += size;
  value_bytes_ += size;
  entries_.push_back({key, at, value, static_cast<std::uint32_t>(size)});
  return value;
}

void write_batch::put_image(const core::page_key& key, core::lsn at, core::bytes_view image) {
  std::uint8_t* value = reserve(key, at, image.size() + 1);
  value[0] = value_tag(value_kind::image, false);
  std::copy(image.begin(), image.end(), value + 1);
}

void write_batch::finish_record(core::lsn start, core::lsn end) {
  core::check(start < end && end >= last_record_end_, "records of a batch come in order");
  last_record_start_ = start;
  last_record_end_ = end;
}

void write_batch::index_entries() const {
  const std::size_t wanted = std::max<std::size_t>(64, std::bit_ceil(entries_.size() * 2));
  if (slots_.size() < wanted) {
    slots_.assign(wanted * 2, 0);
    indexed_ = 0;
  }
  const std::size_t mask = slots_.size() - 1;
  for (; indexed_ < entries_.size(); ++indexed_) {
    const core::page_key& key = entries_[indexed_].key;
    std::size_t slot = core::page_key_hash{}(key)&mask;
    while (slots_[slot] != 0 && entries_[slots_[slot] - 1].key != key) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::uint32_t>(indexed_ + 1);
  }
}

core::bytes_view write_batch::newest(const core::page_key& key) const {
  if (indexed_ < entries_.size()) index_entries();
  if (slots_.empty()) return {};
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = core::page_key_hash{}(key)&mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const entry& found = entries_[slots_[slot] - 1];
    if (found.key == key) return {found.value, found.size};
  }
  return {};
}

}  // namespace strata::storage
