#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The LSNs of a timeline that can be read.
struct readable_window {
  core::lsn first;
  core::lsn last;
};
std::string to_string(const readable_window& window);
/// Of the store's current content.
readable_window window_of(const storage::timeline_store& store);

/// The points of a timeline's history that must stay. No point that a running collection removes is registered:
/// the collection's cutoff counts from the moment it is planned.
///
///   idle --begin_collection--> collecting --end_collection--> idle
class retention {
 public:
  /// Of an existing child: without a check.
  void restore_branch_point(const core::timeline_id& child, core::lsn at) { branch_points_[child] = at; }
  /// errc::out_of_range, with the window, unless `at` is in it. An existing child may be added again at its old
  /// point.
  core::result<void> add_branch_point(const core::timeline_id& child, core::lsn at, readable_window window);
  void remove_branch_point(const core::timeline_id& child) { branch_points_.erase(child); }
  [[nodiscard]] const std::map<core::timeline_id, core::lsn>& branch_points() const { return branch_points_; }

  /// Keeps `at` readable until `now + length`; a repeated request extends a lease, and never shortens it. `now` is
  /// monotonic: a corrected clock must not end all leases. Returns how long the lease lasts.
  core::result<std::chrono::milliseconds> lease(core::lsn at, readable_window window, core::monotonic_time now,
                                                std::chrono::milliseconds length);
  void expire_leases(core::monotonic_time now);

  /// Keeps `at` readable until released as often.
  core::result<void> hold(core::lsn at, readable_window window);
  void release(core::lsn at);

  /// What a collection must keep when `cutoff` is planned: branch points and leased LSNs stay readable below it.
  storage::timeline_store::retention begin_collection(core::lsn cutoff);
  void end_collection() { planned_cutoff_ = {}; }
  [[nodiscard]] bool collecting() const { return planned_cutoff_.has_value(); }

 private:
  [[nodiscard]] core::result<void> check(core::lsn at, readable_window window) const;

  std::map<core::timeline_id, core::lsn> branch_points_;
  std::map<core::lsn, core::monotonic_time> leases_;
  std::multiset<core::lsn> holds_;
  std::optional<core::lsn> planned_cutoff_;
};

}  // namespace strata::actors::pageserver
