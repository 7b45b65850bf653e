#include "storage/memory_layer.hpp"

#include <algorithm>
#include <bit>

#include "core/check.hpp"
#include "storage/key_space.hpp"

namespace strata::storage {

namespace {

constexpr std::size_t copy_chunk_size_bytes = 1u << 20;
constexpr std::size_t first_table_size = 4096;

/// A batch's chunks are adopted unless that would waste more than a third of them.
bool well_filled(std::uint64_t used, std::uint64_t allocated) { return used * 3 >= allocated * 2; }

}  // namespace

memory_layer::memory_layer(core::lsn begin)
    : begin_(begin), segments_(std::make_unique<std::atomic<entry*>[]>(segments_max)) {
  tables_.push_back(std::make_unique<table>(first_table_size));
  current_table_.store(tables_.back().get(), std::memory_order_release);
  memory_bytes_.store(first_table_size * sizeof(std::uint32_t), std::memory_order_relaxed);
}

void memory_layer::append(write_batch&& batch) {
  core::check(!end_.valid(), "append to a frozen layer");
  std::vector<write_batch::chunk> chunks = batch.release_chunks();
  std::uint64_t used = 0;
  std::uint64_t allocated = 0;
  for (const auto& chunk : chunks) {
    used += chunk.used;
    allocated += chunk.size;
  }
  const bool adopted = well_filled(used, allocated);
  for (const write_batch::entry& from : batch.entries()) {
    const std::uint8_t* value = from.value;
    if (!adopted) value = std::copy_n(from.value, from.size, copy_space(from.size)) - from.size;
    add(from, value);
  }
  if (adopted) {
    memory_bytes_.fetch_add(allocated, std::memory_order_relaxed);
    for (auto& chunk : chunks) chunks_.push_back(std::move(chunk));
  }
  value_bytes_.fetch_add(used, std::memory_order_relaxed);
  if (!batch.commit_times().empty()) {
    const std::lock_guard guard(lists_);
    commit_times_.insert(commit_times_.end(), batch.commit_times().begin(), batch.commit_times().end());
  }
}

void memory_layer::add(const write_batch::entry& from, const std::uint8_t* value) {
  const std::uint32_t position = count_.load(std::memory_order_relaxed);
  const std::size_t segment = position / segment_entries;
  if (position % segment_entries == 0) {
    core::check(segment < segments_max, "entries of a memory layer");
    owned_segments_.push_back(std::make_unique<entry[]>(segment_entries));
    segments_[segment].store(owned_segments_.back().get(), std::memory_order_release);
    memory_bytes_.fetch_add(segment_entries * sizeof(entry), std::memory_order_relaxed);
  }
  if ((distinct_keys_ + 1) * 2 > tables_.back()->mask) grow_table();

  const table& in = *tables_.back();
  std::size_t slot = core::page_key_hash{}(from.key) & in.mask;
  std::uint32_t head = 0;
  while ((head = in.slots[slot].load(std::memory_order_relaxed)) != 0 && at_position(head - 1).key != from.key)
    slot = (slot + 1) & in.mask;

  owned_segments_[segment][position % segment_entries] = {from.key, from.size, head, from.at, value};
  count_.store(position + 1, std::memory_order_release);
  in.slots[slot].store(position + 1, std::memory_order_release);
  if (head == 0) {
    ++distinct_keys_;
    if (is_sparse(from.key)) {
      const std::lock_guard guard(lists_);
      sparse_keys_.push_back(from.key);
    }
  }
}

std::uint8_t* memory_layer::copy_space(std::size_t size) {
  if (copy_chunk_left_ < size) {
    const std::size_t allocated = std::max(copy_chunk_size_bytes, size);
    chunks_.push_back({std::make_unique_for_overwrite<std::uint8_t[]>(allocated), 0, allocated});
    memory_bytes_.fetch_add(allocated, std::memory_order_relaxed);
    copy_chunk_at_ = chunks_.back().bytes.get();
    copy_chunk_left_ = allocated;
  }
  std::uint8_t* space = copy_chunk_at_;
  copy_chunk_at_ += size;
  copy_chunk_left_ -= size;
  return space;
}

void memory_layer::grow_table() {
  const table& full = *tables_.back();
  auto larger = std::make_unique<table>((full.mask + 1) * 4);
  for (std::size_t i = 0; i <= full.mask; ++i) {
    const std::uint32_t head = full.slots[i].load(std::memory_order_relaxed);
    if (head == 0) continue;
    std::size_t slot = core::page_key_hash{}(at_position(head - 1).key) & larger->mask;
    while (larger->slots[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & larger->mask;
    larger->slots[slot].store(head, std::memory_order_relaxed);
  }
  memory_bytes_.fetch_add((larger->mask + 1) * sizeof(std::uint32_t), std::memory_order_relaxed);
  tables_.push_back(std::move(larger));
  current_table_.store(tables_.back().get(), std::memory_order_release);
}

void memory_layer::freeze(core::lsn end, core::lsn previous_record) {
  core::check(end > begin_, "a layer covers something");
  end_ = end;
  previous_record_ = previous_record;
}

memory_layer::versions memory_layer::find(const core::page_key& key, core::lsn at) const {
  const table& in = *current_table_.load(std::memory_order_acquire);
  std::size_t slot = core::page_key_hash{}(key)&in.mask;
  for (;; slot = (slot + 1) & in.mask) {
    const std::uint32_t head = in.slots[slot].load(std::memory_order_acquire);
    if (head == 0) return {this, nullptr};
    const entry* found = &at_position(head - 1);
    if (found->key != key) continue;
    while (found->at > at) {
      if (found->previous == 0) return {this, nullptr};
      found = &at_position(found->previous - 1);
    }
    return {this, found};
  }
}

void memory_layer::versions::next() {
  // The last of several versions at one LSN wins: the others are passed over.
  const core::lsn shown = at_->at;
  do {
    at_ = at_->previous == 0 ? nullptr : &layer_->at_position(at_->previous - 1);
  } while (at_ != nullptr && at_->at == shown);
}

std::vector<core::page_key> memory_layer::sorted_keys() const {
  const table& in = *current_table_.load(std::memory_order_acquire);
  std::vector<core::page_key> keys;
  keys.reserve(distinct_keys_);
  for (std::size_t i = 0; i <= in.mask; ++i)
    if (const std::uint32_t head = in.slots[i].load(std::memory_order_acquire); head != 0)
      keys.push_back(at_position(head - 1).key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::vector<core::page_key> memory_layer::sparse_keys(const core::key_range& range) const {
  std::vector<core::page_key> keys;
  {
    const std::lock_guard guard(lists_);
    std::copy_if(sparse_keys_.begin(), sparse_keys_.end(), std::back_inserter(keys),
                 [&](const core::page_key& key) { return range.contains(key); });
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::vector<commit_time> memory_layer::commit_times() const {
  const std::lock_guard guard(lists_);
  return commit_times_;
}

}  // namespace strata::storage
