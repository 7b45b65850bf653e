#pragma once

#include <map>
#include <optional>
#include <string>

#include "consensus/membership.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// Tracks which safekeepers of a branch have removed the WAL that it needs next. A pure machine. They remove only WAL
/// that the pageserver has confirmed, so a missing piece means that the branch was restored to an older state. While
/// one of them has not reported it missing the branch may continue from there.
class wal_gap_watch {
 public:
  /// The connection to `member` for WAL after `position` has ended with this error.
  void ended(consensus::node_id member, core::lsn position, const core::error& why);
  /// WAL arrived.
  void progressed() { begins_.clear(); }

  /// Set once every member has reported it missing.
  [[nodiscard]] std::optional<messages::wal_gap> gap(const consensus::configuration& members) const;

 private:
  core::lsn position_;
  std::map<consensus::node_id, core::lsn> begins_;  ///< of those members: start of their WAL, 0: unknown
};

/// "the WAL from 0/DECE980 to 0/E000000 is missing on all its safekeepers: the branch can be read up to 0/DECE980".
std::string to_text(const messages::wal_gap& of);
/// With the remedy for an operator.
std::string gap_error(const messages::wal_gap& of, const std::string& branch);

}  // namespace strata::actors::pageserver
