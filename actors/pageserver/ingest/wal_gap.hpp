#pragma once

#include <map>
#include <optional>
#include <string>

#include "consensus/membership.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// Which safekeepers of a branch have removed the WAL that it needs next. A pure machine. They remove only what the
/// pageserver has confirmed, so what they say means that the branch was put back to an older state. While one of them
/// has not said so the branch may go on from there.
class wal_gap_watch {
 public:
  /// The connection to `member` for WAL after `position` has ended so.
  void ended(consensus::node_id member, core::lsn position, const core::error& why);
  /// WAL came.
  void progressed() { begins_.clear(); }

  /// Once every member has said it.
  [[nodiscard]] std::optional<messages::wal_gap> gap(const consensus::configuration& members) const;

 private:
  core::lsn position_;
  std::map<consensus::node_id, core::lsn> begins_;  ///< where their WAL begins, 0: not told; of those who said it
};

/// "the WAL from 0/DECE980 to 0/E000000 is missing on all its safekeepers: the branch can be read up to 0/DECE980".
std::string to_text(const messages::wal_gap& of);
/// With what a person can do about it.
std::string gap_error(const messages::wal_gap& of, const std::string& branch);

}  // namespace strata::actors::pageserver
