#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/metadata_store.hpp"

namespace strata::storage {

/// The commit times that one timeline sees, in LSN order: those of its ancestors up to the branch points, then its own,
/// on disk and in memory. A picture for one question.
class commit_history {
 public:
  struct part {
    metadata_store* metadata = nullptr;
    core::tenant_id tenant;
    core::timeline_id timeline;
    core::lsn end;                       ///< commits below this only
    std::vector<commit_time> in_memory;  ///< in LSN order; those that are also on disk are passed over
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
  /// Commit times are not quite in LSN order (each is taken a little before its record is written): out of order by up
  /// to a minute is handled exactly.
  [[nodiscard]] core::result<neighbours> around(pg::timestamp time, core::lsn last) const;

 private:
  [[nodiscard]] core::result<std::optional<commit_time>> first_from(core::lsn begin) const;
  std::vector<part> parts_;
};

}  // namespace strata::storage
