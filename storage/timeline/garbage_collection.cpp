#include "storage/timeline/garbage_collection.hpp"
#include "storage/layers/layer_cache.hpp"

#include <algorithm>

#include "config/quantity.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/side_files/side_file_store.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage {

namespace {

/// Whether a read at exactly `point` needs the layer.
bool needed_at(const layer_map& files, const layer_record& layer, core::lsn point) {
  if (layer.begin > point) return false;
  // An image at I replaces all versions up to I. Of a delta layer those up to `point` matter.
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

namespace {

core::error clocks_disagree(const std::string& whose, std::chrono::microseconds ahead) {
  const auto apart = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::abs(ahead));
  return {core::errc::conflict, "the clocks disagree: " + whose + " is " + config::duration_text(apart) +
                                    (ahead.count() > 0 ? " ahead of" : " behind") +
                                    " this server's clock. Nothing is collected until they agree within " +
                                    config::duration_text(clock_difference_max) + "; set the clock that is wrong"};
}

}  // namespace

core::result<std::optional<core::wall_time>> oldest_kept(const collection_clocks& clocks,
                                                         std::chrono::milliseconds interval) {
  if (clocks.source_ahead && std::chrono::abs(*clocks.source_ahead) > clock_difference_max)
    return clocks_disagree("the source's clock", *clocks.source_ahead);
  if (!clocks.newest_commit) return std::optional<core::wall_time>();
  // A commit that is behind proves nothing: the source may have been idle.
  if (*clocks.newest_commit - clocks.server > clock_difference_max)
    return clocks_disagree("the time of the newest commit", *clocks.newest_commit - clocks.server);
  return std::optional(*clocks.newest_commit - std::chrono::duration_cast<std::chrono::microseconds>(interval));
}

core::result<core::lsn> timeline_store::plan_gc_cutoff(std::optional<std::chrono::microseconds> source_ahead,
                                                       std::optional<std::uint64_t> horizon_bytes) const {
  const config::tenant_options limits = options();
  const core::lsn last = last_record_lsn();
  const std::uint64_t horizon = horizon_bytes.value_or(limits.gc_horizon_bytes);
  if ((horizon == 0 && !horizon_bytes) || last.value <= horizon) return core::lsn();
  core::lsn cutoff = last - horizon;
  if (limits.pitr_interval.count() > 0) {
    STRATA_ASSIGN(const auto newest, find_time(last));
    collection_clocks clocks{.server = context_.clock->now(), .newest_commit = {}, .source_ahead = source_ahead};
    if (newest) clocks.newest_commit = pg::wall_time_of(*newest);
    STRATA_ASSIGN(const auto oldest, oldest_kept(clocks, limits.pitr_interval));
    if (!oldest) return core::lsn();
    STRATA_ASSIGN(const lsn_at_time then, find_lsn(pg::timestamp_of(*oldest)));
    switch (then.answer) {
      case lsn_at_time::kind::present:
      case lsn_at_time::kind::future: cutoff = std::min(cutoff, then.at); break;
      // No transaction is old enough, or none is known: all of the history is younger than the interval.
      case lsn_at_time::kind::past:
      case lsn_at_time::kind::no_data: return core::lsn();
    }
  }
  cutoff = std::min(cutoff, disk_consistent_lsn());
  return cutoff < load(readable_from_) ? core::lsn() : cutoff;
}

core::result<timeline_store::gc_outcome> timeline_store::collect(const retention& keep) {
  const removal_of_retired at_end(*context_.layers);
  // An image that can't be read replaces no layer.
  STRATA_TRY(check_layers({}));
  if (const auto damaged = damaged_layers(); !damaged.empty())
    return core::error{core::errc::corrupt, "nothing is collected while a layer is damaged: " + damaged.front()};
  gc_outcome outcome;
  const core::lsn before = gc_cutoff();
  const core::lsn cutoff = std::max(before, std::min(keep.cutoff, disk_consistent_lsn()));
  outcome.cutoff = cutoff;
  {
    const std::lock_guard guard(record_mutex_);
    retained_ = keep.branch_points;
  }
  if (cutoff > before) {
    // Durable before anything is removed: reads below it must fail after a restart, too.
    store(gc_cutoff_, cutoff);
    STRATA_TRY(commit({.gc_cutoff = cutoff, .forget_commit_times_below = cutoff}));
  }
  STRATA_TRY(side_files_->collect(cutoff, keep.branch_points));
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
