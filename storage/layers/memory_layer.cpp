#include "storage/layers/memory_layer.hpp"

#include <algorithm>
#include <bit>

#include "core/check.hpp"
#include "storage/key_space.hpp"

namespace strata::storage {

namespace {

constexpr std::size_t copy_chunk_size_bytes = 1u << 20;
/// Small: most branches are idle, and each has an open layer.
constexpr std::size_t first_table_size = 64;

/// A batch's chunks are adopted unless that would waste more than a third of them.
bool well_filled(std::uint64_t used, std::uint64_t allocated) { return used * 3 >= allocated * 2; }

}  // namespace

template <class Element>
std::size_t memory_layer::segments<Element>::make_room(std::uint32_t position) {
  if (position % per_segment != 0) return 0;
  const std::size_t segment = position / per_segment;
  core::check(segment < segments_max, "versions of a memory layer");
  std::size_t taken = per_segment * sizeof(Element);
  if (segment == table_size_) {
    const std::size_t larger = std::max(first_directory_size, table_size_ * 2);
    directories_.push_back(std::make_unique<std::atomic<Element*>[]>(larger));
    for (std::size_t i = 0; i < table_size_; ++i)
      directories_.back()[i].store(owned_[i].get(), std::memory_order_relaxed);
    table_.store(directories_.back().get(), std::memory_order_release);
    table_size_ = larger;
    taken += larger * sizeof(Element*);
  }
  owned_.push_back(std::make_unique<Element[]>(per_segment));
  directories_.back()[segment].store(owned_.back().get(), std::memory_order_release);
  return taken;
}

memory_layer::memory_layer(core::lsn begin) : begin_(begin) {
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
  if (const std::size_t room = versions_.make_room(position); room > 0)
    memory_bytes_.fetch_add(room, std::memory_order_relaxed);
  const std::uint32_t key = position_of(from.key);
  std::atomic<std::uint32_t>& newest = keys_[key].newest;
  versions_[position] = {value, from.at, from.size, newest.load(std::memory_order_relaxed), key};
  count_.store(position + 1, std::memory_order_release);
  newest.store(position + 1, std::memory_order_release);
}

std::uint32_t memory_layer::position_of(const core::page_key& key) {
  if ((key_count_ + 1) * std::size_t{2} > tables_.back()->mask) grow_table();
  const table& in = *tables_.back();
  std::size_t slot = core::page_key_hash{}(key)&in.mask;
  while (const std::uint32_t found = in.slots[slot].load(std::memory_order_relaxed)) {
    if (keys_[found - 1].key == key) return found - 1;
    slot = (slot + 1) & in.mask;
  }
  const std::uint32_t position = key_count_++;
  if (const std::size_t room = keys_.make_room(position); room > 0)
    memory_bytes_.fetch_add(room, std::memory_order_relaxed);
  keys_[position].key = key;
  in.slots[slot].store(position + 1, std::memory_order_release);
  if (is_sparse(key)) {
    const std::lock_guard guard(lists_);
    sparse_keys_.push_back(key);
  }
  return position;
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
  for (std::uint32_t position = 0; position < key_count_; ++position) {
    std::size_t slot = core::page_key_hash{}(keys_[position].key) & larger->mask;
    while (larger->slots[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & larger->mask;
    larger->slots[slot].store(position + 1, std::memory_order_relaxed);
  }
  memory_bytes_.fetch_add((larger->mask + 1) * sizeof(std::uint32_t), std::memory_order_relaxed);
  tables_.push_back(std::move(larger));
  current_table_.store(tables_.back().get(), std::memory_order_release);
}

void memory_layer::freeze(core::lsn end, core::lsn previous_record, std::optional<wal_trace> trace) {
  core::check(end > begin_, "a layer covers at least one LSN");
  end_ = end;
  previous_record_ = previous_record;
  trace_ = std::move(trace);
}

memory_layer::versions memory_layer::find(const core::page_key& key, core::lsn at) const {
  const table& in = *current_table_.load(std::memory_order_acquire);
  std::size_t slot = core::page_key_hash{}(key)&in.mask;
  for (;; slot = (slot + 1) & in.mask) {
    const std::uint32_t position = in.slots[slot].load(std::memory_order_acquire);
    if (position == 0) return {this, nullptr};
    const known_key& known = keys_[position - 1];
    if (known.key != key) continue;
    std::uint32_t newest = known.newest.load(std::memory_order_acquire);
    while (newest != 0 && versions_[newest - 1].at > at) newest = versions_[newest - 1].previous;
    return {this, newest == 0 ? nullptr : &versions_[newest - 1]};
  }
}

void memory_layer::versions::next() {
  // The last of several versions at one LSN wins: skip the others.
  const core::lsn shown = at_->at;
  do {
    at_ = at_->previous == 0 ? nullptr : &layer_->versions_[at_->previous - 1];
  } while (at_ != nullptr && at_->at == shown);
}

std::vector<std::uint32_t> memory_layer::sorted_positions() const {
  struct ranked_key {
    core::page_key key;
    std::uint32_t position;
  };
  std::vector<ranked_key> keys;
  keys.reserve(key_count_);
  for (std::uint32_t i = 0; i < key_count_; ++i) keys.push_back({keys_[i].key, i});
  std::sort(keys.begin(), keys.end(), [](const ranked_key& a, const ranked_key& b) { return a.key < b.key; });

  // A counting sort: each link from version to version would be a cache miss.
  const std::uint32_t count = count_.load(std::memory_order_acquire);
  std::vector<std::uint32_t> end_of(key_count_);
  for (std::uint32_t i = 0; i < count; ++i) ++end_of[versions_[i].key];
  std::uint32_t end = 0;
  for (const ranked_key& each : keys) end = end_of[each.position] += end;
  std::vector<std::uint32_t> order(count);
  for (std::uint32_t i = 0; i < count; ++i) order[--end_of[versions_[i].key]] = i;
  return order;
}

core::result<void> memory_layer::visit_sorted(const sorted_visitor& visit) const {
  constexpr std::size_t versions_ahead = 16;
  constexpr std::size_t values_ahead = 8;
  const std::vector<std::uint32_t> order = sorted_positions();
  const version* before = nullptr;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i + versions_ahead < order.size()) __builtin_prefetch(&versions_[order[i + versions_ahead]]);
    if (i + values_ahead < order.size()) {
      const std::uint8_t* value = versions_[order[i + values_ahead]].value;
      __builtin_prefetch(value);
      __builtin_prefetch(value + 64);
    }
    const version& each = versions_[order[i]];
    const bool repeated = before != nullptr && before->key == each.key && before->at == each.at;
    before = &each;
    if (!repeated) STRATA_TRY(visit(keys_[each.key].key, each.at, {each.value, each.size}));
  }
  return {};
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
