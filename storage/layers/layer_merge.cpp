#include "storage/layers/layer_merge.hpp"

#include <algorithm>

namespace strata::storage {

core::result<layer_merge> layer_merge::open(std::span<const layer_map::item> layers) {
  layer_merge merge;
  for (const layer_map::item& item : layers) {
    STRATA_ASSIGN(auto reader, item.layer->reader(read_mode::may_block));
    auto cursor = std::make_unique<layer_cursor>(reader->cursor({.fill_cache = false}));
    const bool found = cursor->seek(core::page_key::min(), core::lsn::max());
    if (cursor->failure() != nullptr) return *cursor->failure();
    if (found) merge.heap_.push_back({std::move(reader), std::move(cursor), item.record.number});
  }
  std::make_heap(merge.heap_.begin(), merge.heap_.end(), after);
  return merge;
}

bool layer_merge::after(const input& a, const input& b) {
  if (const auto keys = a.cursor->key() <=> b.cursor->key(); keys != 0) return keys > 0;
  if (a.cursor->at() != b.cursor->at()) return a.cursor->at() < b.cursor->at();
  return a.number < b.number;
}

core::result<void> layer_merge::step() {
  std::pop_heap(heap_.begin(), heap_.end(), after);
  layer_cursor& cursor = *heap_.back().cursor;
  if (cursor.next()) {
    std::push_heap(heap_.begin(), heap_.end(), after);
    return {};
  }
  if (cursor.failure() != nullptr) return *cursor.failure();
  heap_.pop_back();
  return {};
}

core::result<void> layer_merge::next() {
  const core::page_key shown_key = key();
  const core::lsn shown_at = at();
  do {
    STRATA_TRY(step());
  } while (valid() && at() == shown_at && key() == shown_key);
  return {};
}

}  // namespace strata::storage
