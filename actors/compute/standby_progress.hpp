#pragma once

#include <string>

#include "actors/compute/protocol.hpp"
#include "actors/compute/replay_lag.hpp"
#include "host/agent_status.hpp"

namespace strata::actors::compute {

/// How far the standby of one incarnation has come, for people. Part of the compute agent.
class standby_progress {
 public:
  void begin() { *this = standby_progress(); }
  void told_by_feed(feed_status status);
  /// The server that follows the branch, too, has its WAL up to here.
  void told_by_server(core::lsn reached, core::monotonic_time now) { lag_.head_passed(reached, now); }
  /// Why no WAL arrives; empty: it does.
  [[nodiscard]] std::string waits() const;
  void describe(host::agent_status& to, core::monotonic_time now) const;

 private:
  feed_status feed_;
  replay_lag lag_;
};

}  // namespace strata::actors::compute
