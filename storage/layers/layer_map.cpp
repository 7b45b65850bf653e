#include "storage/layers/layer_map.hpp"

#include <algorithm>

namespace strata::storage {

layer_map::layer_map(std::vector<item> layers) : layers_(std::move(layers)) {
  std::sort(layers_.begin(), layers_.end(), [](const item& a, const item& b) {
    if (a.record.end != b.record.end) return a.record.end > b.record.end;
    return a.record.number > b.record.number;
  });

  boundaries_.push_back(core::page_key::min());
  for (std::uint32_t i = 0; i < layers_.size(); ++i) {
    const layer_record& record = layers_[i].record;
    if (record.kind == layer_kind::delta && record.level == 0) {
      level0_.push_back(i);
      continue;
    }
    boundaries_.push_back(record.keys.begin);
    boundaries_.push_back(record.keys.end);
  }
  std::sort(boundaries_.begin(), boundaries_.end());
  boundaries_.erase(std::unique(boundaries_.begin(), boundaries_.end()), boundaries_.end());

  // Count, then fill: the lists of all intervals lie in one array, each in the order of layers_.
  starts_.assign(boundaries_.size() + 1, 0);
  const auto for_each_interval = [&](auto visit) {
    for (std::uint32_t i = 0; i < layers_.size(); ++i) {
      const layer_record& record = layers_[i].record;
      if (record.kind == layer_kind::delta && record.level == 0) continue;
      for (std::size_t at = interval_of(record.keys.begin); at < boundaries_.size(); ++at) {
        if (!(boundaries_[at] < record.keys.end)) break;
        visit(at, i);
      }
    }
  };
  for_each_interval([&](std::size_t at, std::uint32_t) { ++starts_[at + 1]; });
  for (std::size_t at = 1; at < starts_.size(); ++at) starts_[at] += starts_[at - 1];
  covering_.resize(starts_.back());
  std::vector<std::uint32_t> next(starts_.begin(), starts_.end() - 1);
  for_each_interval([&](std::size_t at, std::uint32_t i) { covering_[next[at]++] = i; });
}

layer_map layer_map::changed(std::span<const std::uint64_t> removed, std::vector<item> added) const {
  std::vector<item> layers = std::move(added);
  layers.reserve(layers.size() + layers_.size());
  for (const item& each : layers_)
    if (std::find(removed.begin(), removed.end(), each.record.number) == removed.end()) layers.push_back(each);
  return layer_map(std::move(layers));
}

layer_map::plan layer_map::find(const core::page_key& key, core::lsn at) const {
  for (const std::uint32_t index : covering(interval_of(key))) {
    const layer_record& record = layers_[index].record;
    if (record.kind == layer_kind::image && record.begin <= at) return {&layers_[index]};
  }
  return {};
}

core::key_range layer_map::interval(std::size_t index) const {
  return {boundaries_[index], index + 1 < boundaries_.size() ? boundaries_[index + 1] : core::page_key::max()};
}

std::size_t layer_map::interval_of(const core::page_key& key) const {
  const auto behind = std::upper_bound(boundaries_.begin(), boundaries_.end(), key);
  return static_cast<std::size_t>(behind - boundaries_.begin()) - 1;
}

bool layer_map::images_cover(const core::key_range& range, core::lsn first, core::lsn last,
                             std::uint64_t except) const {
  if (first > last) return false;
  for (std::size_t at = interval_of(range.begin); at < boundaries_.size() && boundaries_[at] < range.end; ++at) {
    const auto layers = covering(at);
    const bool covered = std::any_of(layers.begin(), layers.end(), [&](std::uint32_t index) {
      const layer_record& record = layers_[index].record;
      return record.kind == layer_kind::image && first <= record.begin && record.begin <= last &&
             record.number != except;
    });
    if (!covered) return false;
  }
  return true;
}

}  // namespace strata::storage
