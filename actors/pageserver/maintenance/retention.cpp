#include "actors/pageserver/maintenance/retention.hpp"

#include <algorithm>

namespace strata::actors::pageserver {

readable_window window_of(const storage::timeline_store& store) {
  return {std::max(store.record().readable_from, store.gc_cutoff()), store.last_record_lsn()};
}

std::string to_string(const readable_window& window) {
  return core::to_string(window.first) + " to " + core::to_string(window.last);
}

core::result<void> retention::check(core::lsn at, readable_window window) const {
  if (leases_.contains(at) || holds_.contains(at)) return {};
  for (const auto& [child, point] : branch_points_)
    if (point == at) return {};
  if (planned_cutoff_) window.first = std::max(window.first, *planned_cutoff_);
  if (window.first <= at && at <= window.last) return {};
  return core::error{core::errc::out_of_range,
                     core::to_string(at) +
                         (at < window.first ? " is before the retention window" : " is after the head") +
                         ": the readable history is " + to_string(window)};
}

core::result<void> retention::add_branch_point(const core::timeline_id& child, core::lsn at, readable_window window) {
  const auto known = branch_points_.find(child);
  if (known != branch_points_.end() && known->second == at) return {};
  STRATA_TRY(check(at, window));
  branch_points_[child] = at;
  return {};
}

core::result<std::chrono::milliseconds> retention::lease(core::lsn at, readable_window window, core::monotonic_time now,
                                                         std::chrono::milliseconds length) {
  STRATA_TRY(check(at, window));
  auto& until = leases_.try_emplace(at, now).first->second;
  until = std::max(until, now + length);
  return std::chrono::duration_cast<std::chrono::milliseconds>(until - now);
}

void retention::expire_leases(core::monotonic_time now) {
  std::erase_if(leases_, [now](const auto& lease) { return lease.second <= now; });
}

core::result<void> retention::hold(core::lsn at, readable_window window) {
  STRATA_TRY(check(at, window));
  holds_.insert(at);
  return {};
}

void retention::release(core::lsn at) {
  if (const auto one = holds_.find(at); one != holds_.end()) holds_.erase(one);
}

storage::timeline_store::retention retention::begin_collection(core::lsn cutoff) {
  planned_cutoff_ = cutoff;
  storage::timeline_store::retention keep{.cutoff = cutoff};
  for (const auto& [child, at] : branch_points_) keep.branch_points.push_back(at);
  for (const auto& [at, until] : leases_) keep.branch_points.push_back(at);
  keep.branch_points.insert(keep.branch_points.end(), holds_.begin(), holds_.end());
  std::sort(keep.branch_points.begin(), keep.branch_points.end());
  return keep;
}

}  // namespace strata::actors::pageserver
