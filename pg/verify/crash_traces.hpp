#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/lsn.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::verify {

/// Where the files of a server may differ from its WAL because it crashed: WAL that was not yet on disk is lost, what
/// was written to files beside it is not. A crash can't be told from a clean restart by the WAL, so each restart counts
/// as one; a server that was never restarted is granted nothing.
class crash_traces {
 public:
  /// The next record, before its blocks are redone.
  void add(const wal::record& record);
  /// A hint moved the LSN of a page. One without an image did so in memory, and only a flush brought that to the file.
  void hint_moved_lsn(const relation_fork& relation, block_number block, core::lsn from, core::lsn to);

  /// The server was restarted somewhere before the newest record.
  [[nodiscard]] bool restarted() const { return first_restart_.valid(); }
  /// The page has `ours` by the WAL, and a crash may have put it back to `theirs`.
  [[nodiscard]] bool lost_hint(const relation_fork& relation, block_number block, core::lsn ours,
                               core::lsn theirs) const;
  /// A file's page with this LSN may come from WAL that a crash lost: the relation was made before a restart, no record
  /// touched it since, and the LSN lies behind the WAL that was left then. A rewrite or the build of an index writes
  /// its files beside the WAL, and its transaction never ended.
  [[nodiscard]] bool abandoned(const relation_fork& relation, core::lsn page) const;
  /// The same for a relation that WAL says nothing of.
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
  core::lsn stopped_;                                ///< where the record before begins if it was a shutdown checkpoint
  std::unordered_map<relation_fork, made> created_;  ///< by main forks
  std::map<std::pair<relation_fork, block_number>, moved> moved_;
};

}  // namespace strata::pg::verify
