#include "storage/garbage_collection.hpp"

#include <algorithm>

#include "core/log.hpp"
#include "storage/local_timeline.hpp"

namespace strata::storage {

namespace {

/// Needed by a read at exactly `point`?
bool needed_at(const layer_map& files, const layer_record& layer, core::lsn point) {
  if (layer.begin > point) return false;
  // An image at I stands for all versions up to I. Of a delta layer those up to `point` matter.
  const core::lsn first = layer.kind == layer_kind::image ? layer.begin + 1 : std::min(layer.end - 1, point);
  return !files.images_cover(layer.keys, first, point, layer.number);
}

}  // namespace

std::vector<std::uint64_t> removable_layers(const layer_map& files, core::lsn cutoff, std::span<const core::lsn> kept) {
  std::vector<std::uint64_t> removable;
  for (const layer_map::item& item : files.layers()) {
    const layer_record& layer = item.record;
    // Its last version is above the cutoff: reads between them need it.
    if (layer.end - 1 > cutoff) continue;
    if (needed_at(files, layer, cutoff)) continue;
    const bool kept_for_point = std::any_of(
        kept.begin(), kept.end(), [&](core::lsn point) { return point < cutoff && needed_at(files, layer, point); });
    if (!kept_for_point) removable.push_back(layer.number);
  }
  return removable;
}

core::result<core::lsn> local_timeline::plan_gc_cutoff() const {
  const config::tenant_options limits = options();
  const core::lsn last = last_record_lsn();
  if (limits.gc_horizon_bytes == 0 || last.value <= limits.gc_horizon_bytes) return core::lsn();
  core::lsn cutoff = last - limits.gc_horizon_bytes;
  if (limits.pitr_interval.count() > 0) {
    const core::wall_time oldest = context_.clock->now() - limits.pitr_interval;
    STRATA_ASSIGN(const lsn_at_time then, find_lsn(pg::timestamp_of(oldest)));
    switch (then.answer) {
      case lsn_at_time::kind::present:
      case lsn_at_time::kind::future: cutoff = std::min(cutoff, then.at); break;
      // No transaction is old enough, or none is known: all of the history is younger than what is to be kept.
      case lsn_at_time::kind::past:
      case lsn_at_time::kind::no_data: return core::lsn();
    }
  }
  cutoff = std::min(cutoff, disk_consistent_lsn());
  return cutoff < load(readable_from_) ? core::lsn() : cutoff;
}

core::result<timeline_store::gc_outcome> local_timeline::collect(const retention& keep) {
  gc_outcome outcome;
  const core::lsn before = gc_cutoff();
  const core::lsn cutoff = std::max(before, std::min(keep.cutoff, disk_consistent_lsn()));
  outcome.cutoff = cutoff;
  {
    const std::lock_guard guard(record_mutex_);
    retained_ = keep.branch_points;
  }
  if (cutoff > before) {
    // Durable before anything is removed: after a restart, too, nobody may read below.
    store(gc_cutoff_, cutoff);
    STRATA_TRY(commit({.gc_cutoff = cutoff, .forget_commit_times_below = cutoff}));
  }
  const auto view = current();
  timeline_edit edit{.remove = removable_layers(*view->files, cutoff, keep.branch_points)};
  if (edit.remove.empty()) return outcome;
  for (const layer_map::item& item : view->files->layers())
    if (std::find(edit.remove.begin(), edit.remove.end(), item.record.number) != edit.remove.end())
      outcome.removed_bytes += item.record.size_bytes;
  outcome.removed = edit.remove.size();
  STRATA_TRY(exchange_layers(std::move(edit)));
  return outcome;
}

}  // namespace strata::storage
