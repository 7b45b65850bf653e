#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/lsn.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::verify {

/// Where the files of a server may differ from its WAL because it crashed: WAL that was not on disk is lost, pages
/// that were written to files are not. A crash can't be distinguished from a clean restart by the WAL, so each restart
/// counts as one; a server that was never restarted is granted no difference.
class crash_traces {
 public:
  /// The next record, before its blocks are redone.
  void add(const wal::record& record);
  /// A hint moved the LSN of a page. Without an image that happened in memory, and only a flush wrote it to the file.
  void hint_moved_lsn(const relation_fork& relation, block_number block, core::lsn from, core::lsn to);

  /// Whether the server was restarted before the newest record.
  [[nodiscard]] bool restarted() const { return first_restart_.valid(); }
  /// Whether the page has `ours` by the WAL, and a crash may have reset it to `theirs`.
  [[nodiscard]] bool lost_hint(const relation_fork& relation, block_number block, core::lsn ours,
                               core::lsn theirs) const;
  /// Whether a file's page with this LSN may come from WAL that a crash lost: the relation was created before a
  /// restart, no record touched it since, and the LSN is after the end of the WAL at that restart. A rewrite or the
  /// build of an index writes its files without WAL, and its transaction never ended.
  [[nodiscard]] bool abandoned(const relation_fork& relation, core::lsn page) const;
  /// The same for a relation without WAL records.
  [[nodiscard]] bool left_behind(const relation_fork& relation, core::lsn page) const;

 private:
  struct made {
    core::lsn restart;  ///< the first since; invalid while there was none
    bool touched = false;
  };
  struct moved {
    core::lsn from;
    core::lsn to;
    std::uint32_t restarts = 0;
  };
  void restart(core::lsn at);

  std::uint32_t restarts_ = 0;
  bool began_ = false;
  core::lsn first_restart_;
  core::lsn stopped_;                                ///< start of the previous record if a shutdown checkpoint
  std::unordered_map<relation_fork, made> created_;  ///< by main forks
  std::map<std::pair<relation_fork, block_number>, moved> moved_;
};

}  // namespace strata::pg::verify
