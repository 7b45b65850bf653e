#include "storage/timeline/version_collector.hpp"

#include <algorithm>
#include <cstring>

#include "pg/types.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/value.hpp"

namespace strata::storage {

void version_collector::clear() {
  wanted_.clear();
  versions_.clear();
  arena_.reset();
}

bool version_collector::complete(const wanted& of) const {
  return of.has_page || (of.oldest != none && view_of(versions_[of.oldest].value).complete());
}

void version_collector::collect(std::span<const read_level> levels, read_mode mode) {
  floors_.resize(wanted_.size());
  for (const read_level& level : levels) {
    tasks_.clear();
    bool unfinished = false;
    for (std::uint32_t i = 0; i < wanted_.size(); ++i) {
      wanted& of = wanted_[i];
      if (of.done) continue;
      const layer_map& files = *level.view->files;
      const layer_map::plan plan = files.find(of.key, level.bound);
      floors_[i] = plan.floor();
      if (search_memory(level, of, plan.floor())) continue;
      files.deltas(of.key, plan.floor(), level.bound, [&](std::uint32_t layer) { tasks_.push_back({layer, i}); });
      if (plan.image != nullptr) tasks_.push_back({static_cast<std::uint32_t>(plan.image - files.layers().data()), i});
      unfinished = true;
    }
    if (!tasks_.empty()) search_files(level, mode);
    if (!unfinished) return;
  }
}

bool version_collector::search_memory(const read_level& level, wanted& of, core::lsn floor) {
  for (const auto& layer : level.view->memory) {
    if (layer->begin() > level.bound) continue;
    for (auto found = layer->find(of.key, level.bound); found.valid() && found.at() > floor; found.next()) {
      take(of, found.at(), found.value(), true);
      if (of.done) return true;
    }
  }
  return false;
}

void version_collector::search_files(const read_level& level, read_mode mode) {
  // Layers in the map's order, newest first; in each of them keys ascending, in the order of the request.
  std::sort(tasks_.begin(), tasks_.end(),
            [](const task& a, const task& b) { return a.layer != b.layer ? a.layer < b.layer : a.wanted < b.wanted; });
  for (std::size_t from = 0; from < tasks_.size();) {
    std::size_t to = from;
    while (to < tasks_.size() && tasks_[to].layer == tasks_[from].layer) ++to;
    search_layer(level.view->files->layers()[tasks_[from].layer], level, std::span(tasks_).subspan(from, to - from),
                 mode);
    from = to;
  }
}

void version_collector::search_layer(const layer_map::item& item, const read_level& level, std::span<const task> tasks,
                                     read_mode mode) {
  std::shared_ptr<const layer_reader> reader;
  std::optional<layer_cursor> cursor;
  std::optional<core::error> cannot_open;
  for (const task& each : tasks) {
    wanted& of = wanted_[each.wanted];
    if (of.done) continue;
    if (!reader && !cannot_open) {
      if (auto opened = item.layer->reader(mode)) {
        reader = *std::move(opened);
        cursor.emplace(reader->cursor({.memory_only = mode == read_mode::memory_only}));
      } else {
        cannot_open = std::move(opened).error();
      }
    }
    if (cannot_open) {
      of.failure = cannot_open;
      of.done = true;
      continue;
    }
    const bool image = item.record.kind == layer_kind::image;
    const core::lsn above = image ? core::lsn() : floors_[each.wanted];
    for (bool found = cursor->find(of.key, level.bound); found && cursor->key() == of.key && cursor->at() > above;
         found = cursor->next()) {
      take(of, cursor->at(), cursor->value(), false);
      if (of.done) break;
    }
    if (of.done) continue;
    if (const core::error* failure = cursor->failure()) of.failure = *failure;
    // An image layer has every existing key of its range: a key that it lacks does not exist, and older layers must not
    // be searched.
    if (image || of.failure) of.done = true;
  }
}

void version_collector::take(wanted& of, core::lsn at, core::bytes_view value, bool stays) {
  if (value.empty()) {
    of.failure = core::error{core::errc::corrupt,
                             "value of key " + core::to_string(of.key) + " at " + core::to_string(at) + " has no tag"};
    of.done = true;
    return;
  }
  const value_view seen = view_of(value);
  of.done = seen.complete();
  if (of.page != nullptr && seen.kind == value_kind::image && seen.payload.size() == pg::page_size) {
    std::memcpy(of.page, seen.payload.data(), pg::page_size);
    of.has_page = true;
    return;
  }
  versions_.push_back({at, stays ? value : arena_.copy(value), of.oldest});
  of.oldest = static_cast<std::uint32_t>(versions_.size() - 1);
}

}  // namespace strata::storage
