#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "actors/runtime/io_jobs.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "journal/maintenance.hpp"
#include "journal/timeline_view.hpp"
#include "journal/wal_archive.hpp"

namespace strata::actors::safekeeper {

/// The segments of one timeline in object storage: stores one at a time, and removes old ones in between.
/// Part of the acceptor actor: everything it needs of that is an argument.
class segment_archive {
 public:
  struct context {
    std::function<void(core::lsn)> stored;  ///< all WAL before it is in object storage
    std::function<void(const core::error&)> not_stored;
    std::function<void(const core::error&)> not_removed;
  };

  /// `archive` is null when there is no object storage.
  segment_archive(std::shared_ptr<const journal::wal_archive> archive, std::shared_ptr<journal::timeline_view> view,
                  runtime::io_jobs jobs, context of)
      : archive_(std::move(archive)), view_(std::move(view)), jobs_(std::move(jobs)), context_(std::move(of)) {}

  [[nodiscard]] bool exists() const { return archive_ != nullptr; }
  /// Stores the next segment, if this safekeeper is chosen for it.
  void store_next(const journal::timeline_situation& situation);
  /// Removes segments that are not needed.
  void trim(const journal::timeline_situation& situation);

 private:
  enum class work { none, storing, trimming };

  std::shared_ptr<const journal::wal_archive> archive_;
  std::shared_ptr<journal::timeline_view> view_;
  runtime::io_jobs jobs_;
  context context_;
  work under_way_ = work::none;
  core::lsn trimmed_;  ///< segments before it are removed
};

}  // namespace strata::actors::safekeeper
