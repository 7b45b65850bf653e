#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::storage {

/// Commit times are not quite in LSN order, as each is taken a little before its record is written. A commit whose time
/// is earlier by more than this than the newest one before it shows that the clock was set back.
inline constexpr pg::timestamp commit_disorder_max = 60'000'000;

/// Finds where in a history the clock was set back: between two such places times are in order up to
/// commit_disorder_max. Fed with commits in LSN order; commits seen before are skipped.
class clock_steps {
 public:
  void see(const commit_time& commit);
  [[nodiscard]] core::lsn seen_to() const { return seen_to_; }
  /// End LSNs of the first commits after each step, ascending.
  [[nodiscard]] const std::vector<core::lsn>& steps() const { return steps_; }

 private:
  std::vector<core::lsn> steps_;
  std::optional<pg::timestamp> newest_;  ///< since the last step
  core::lsn seen_to_;
};

/// The commit times of one timeline, in LSN order: those of its ancestors up to the branch points, then its own, on
/// disk and in memory. A snapshot for one query.
class commit_history {
 public:
  struct part {
    metadata_store* metadata = nullptr;
    core::tenant_id tenant;
    core::timeline_id timeline;
    core::lsn end;                       ///< commits before this only
    std::vector<commit_time> in_memory;  ///< in LSN order; those that are also on disk are skipped
    std::vector<core::lsn> steps;        ///< where the clock was set back; used by around() only
  };
  /// Oldest ancestor first.
  void add(part more) { parts_.push_back(std::move(more)); }

  using visitor = std::function<bool(const commit_time&)>;
  /// Commits in [begin, end) in LSN order until the visitor returns false.
  core::result<void> visit(core::lsn begin, core::lsn end, const visitor& see) const;

  /// The newest commit at or below `at`.
  [[nodiscard]] core::result<std::optional<commit_time>> newest(core::lsn at) const;

  struct neighbours {
    std::optional<commit_time> before;  ///< the last one before `after`, or of all
    std::optional<commit_time> after;   ///< the first one in LSN order whose time is greater
  };
  /// Exact even if the clock was set back, given the steps of each part: like recovery_target_time it stops before the
  /// first commit in LSN order that is later.
  [[nodiscard]] core::result<neighbours> around(pg::timestamp time, core::lsn last) const;

 private:
  [[nodiscard]] core::result<std::optional<commit_time>> first_from(core::lsn begin) const;
  /// The first commit in [begin, end] that is later than `time`. Precondition: the clock was not set back in between.
  [[nodiscard]] core::result<std::optional<commit_time>> first_later(pg::timestamp time, core::lsn begin,
                                                                     core::lsn end) const;
  /// Where the clock was set back, or may have been: at steps, and where a timeline begins.
  [[nodiscard]] std::vector<core::lsn> stretches() const;
  std::vector<part> parts_;
};

}  // namespace strata::storage
