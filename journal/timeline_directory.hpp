#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "io/disk.hpp"
#include "journal/timeline_journal.hpp"

namespace strata::journal {

/// Creates the directory `name` in `parent` if it is missing; durable on return.
core::result<void> ensure_durable_directory(io::disk& disk, const std::string& parent, const std::string& name);

/// A safekeeper's files (docs/formats/directory.md): timelines/<tenant>/<timeline>/ for each timeline, and
/// deleted/<tenant>-<timeline>, an empty file, for each that was deleted. A proposer that missed the deletion must not
/// recreate it, for the WAL that it acknowledged is lost. It may be created with a configuration in which this
/// safekeeper is no member: no quorum counts it until a newer one makes it a new member. Every call blocks.
class timeline_directory {
 public:
  timeline_directory(io::disk& disk, std::string directory, consensus::node_id self)
      : disk_(disk), directory_(std::move(directory)), self_(self) {}

  /// Creates the directories, completes deletions, and lists the timelines.
  [[nodiscard]] core::result<std::vector<core::timeline_key>> load() const;
  /// errc::conflict for a deleted timeline, unless this safekeeper is no member in its new configuration.
  [[nodiscard]] core::result<std::unique_ptr<timeline_journal>> create(const consensus::acceptor_state& state) const;
  [[nodiscard]] core::result<std::unique_ptr<timeline_journal>> open(const core::timeline_key& key) const;
  /// Durable on return. Also for a timeline that was never here.
  [[nodiscard]] core::result<void> remove(const core::timeline_key& key) const;

  [[nodiscard]] timeline_journal::options where(const core::timeline_key& key) const;
  [[nodiscard]] core::result<std::uint64_t> free_bytes() const { return disk_.free_bytes(directory_); }

 private:
  [[nodiscard]] std::string timelines() const { return directory_ + "/timelines"; }
  [[nodiscard]] std::string tombstones() const { return directory_ + "/deleted"; }

  io::disk& disk_;
  std::string directory_;
  consensus::node_id self_;
};

}  // namespace strata::journal
