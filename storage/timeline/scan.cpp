#include <algorithm>
#include <map>

#include "storage/key_space.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/value.hpp"

namespace strata::storage {

namespace {

/// Newest values found so far; an empty one means "does not exist", and hides older ones.
using found_values = std::map<core::page_key, core::bytes>;

core::result<void> keep(found_values& found, const core::page_key& key, core::lsn at, core::bytes_view stored) {
  if (stored.empty() || view_of(stored).kind != value_kind::image)
    return core::error{core::errc::corrupt,
                       "value of key " + core::to_string(key) + " at " + core::to_string(at) + " is not whole"};
  const core::bytes_view payload = view_of(stored).payload;
  found.try_emplace(key, payload.begin(), payload.end());
  return {};
}

void copy_keys(const std::vector<core::page_key>& sorted, const core::key_range& range,
               std::vector<core::page_key>& to) {
  to.assign(std::lower_bound(sorted.begin(), sorted.end(), range.begin),
            std::lower_bound(sorted.begin(), sorted.end(), range.end));
}

/// Finds in one file the newest version of each key of the range with floor < LSN <= at.
core::result<void> scan_file(const layer_map::item& item, const core::key_range& range, core::lsn floor, core::lsn at,
                             found_values& found) {
  STRATA_ASSIGN(const auto reader, item.layer->reader(read_mode::may_block));
  auto cursor = reader->cursor({});
  bool valid = cursor.seek(range.begin, at);
  while (valid && cursor.key() < range.end) {
    const core::page_key key = cursor.key();
    if (cursor.at() > at) {
      valid = cursor.seek(key, at);
      continue;
    }
    if (cursor.at() > floor) STRATA_TRY(keep(found, key, cursor.at(), cursor.value()));
    while ((valid = cursor.next()) && cursor.key() == key) {
    }
  }
  if (cursor.failure() != nullptr) return *cursor.failure();
  return {};
}

class scanner {
 public:
  explicit scanner(std::span<const read_level> levels, const core::key_range& all) : levels_(levels) {
    // Each memory layer's keys are sorted once, not once per interval.
    memory_keys_.resize(levels.size());
    for (std::size_t i = 0; i < levels.size(); ++i)
      for (const auto& layer : levels[i].view->memory) memory_keys_[i].push_back(layer->sparse_keys(all));
  }

  core::result<void> scan(std::size_t depth, const core::key_range& range, found_values& found) {
    if (depth == levels_.size()) return {};
    const read_level& level = levels_[depth];
    const layer_map& files = *level.view->files;
    for (std::size_t i = files.interval_of(range.begin); i < files.interval_count(); ++i) {
      const core::key_range interval = files.interval(i);
      if (!(interval.begin < range.end)) break;
      const core::key_range part{std::max(range.begin, interval.begin), std::min(range.end, interval.end)};
      STRATA_TRY(scan_interval(depth, i, part, found));
    }
    return {};
  }

 private:
  core::result<void> scan_interval(std::size_t depth, std::size_t interval, const core::key_range& part,
                                   found_values& found) {
    const read_level& level = levels_[depth];
    const layer_map& files = *level.view->files;
    const layer_map::plan plan = files.find(part.begin, level.bound);
    STRATA_TRY(scan_memory(depth, part, plan.floor(), found));
    for (const std::uint32_t index : files.level0())
      STRATA_TRY(scan_delta(files.layers()[index], part, plan.floor(), level.bound, found));
    for (const std::uint32_t index : files.covering(interval))
      STRATA_TRY(scan_delta(files.layers()[index], part, plan.floor(), level.bound, found));
    if (plan.image != nullptr) return scan_file(*plan.image, part, core::lsn(), level.bound, found);
    return scan(depth + 1, part, found);
  }

  static core::result<void> scan_delta(const layer_map::item& item, const core::key_range& part, core::lsn floor,
                                       core::lsn bound, found_values& found) {
    if (item.record.kind != layer_kind::delta || !item.record.keys.overlaps(part) ||
        !layer_map::holds(item.record, floor, bound))
      return {};
    return scan_file(item, part, floor, bound, found);
  }

  core::result<void> scan_memory(std::size_t depth, const core::key_range& part, core::lsn floor, found_values& found) {
    const read_level& level = levels_[depth];
    std::vector<core::page_key> keys;
    for (std::size_t i = 0; i < level.view->memory.size(); ++i) {
      copy_keys(memory_keys_[depth][i], part, keys);
      for (const core::page_key& key : keys) {
        const auto newest = level.view->memory[i]->find(key, level.bound);
        if (newest.valid() && newest.at() > floor) STRATA_TRY(keep(found, key, newest.at(), newest.value()));
      }
    }
    return {};
  }

  std::span<const read_level> levels_;
  std::vector<std::vector<std::vector<core::page_key>>> memory_keys_;
};

}  // namespace

core::result<void> scan_values(std::span<const read_level> levels, const core::key_range& keys,
                               const std::function<bool(const core::page_key&, core::bytes_view)>& visitor) {
  found_values found;
  STRATA_TRY(scanner(levels, keys).scan(0, keys, found));
  for (const auto& [key, value] : found)
    if (!value.empty() && !visitor(key, value)) break;
  return {};
}

}  // namespace strata::storage
