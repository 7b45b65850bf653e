#pragma once

#include <chrono>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/compute/locate_safekeeper.hpp"
#include "actors/compute/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "consensus/proposer.hpp"

namespace strata::actors::compute {

struct wal_proposer_options {
  runtime::actor_label label;
  consensus::proposer_options proposer;
  proposer_owner_actor owner;
  locate_safekeeper locate;  ///< null: members have the configuration's addresses
  /// Of WAL. Postgres is not read while it is full of WAL that was sent to no quorum.
  std::size_t memory_bytes = 64u << 20;
  std::chrono::milliseconds tick{1000};  ///< heartbeats, reconnects
  std::chrono::milliseconds connect_limit{5000};
  std::chrono::milliseconds silence_max{10'000};
  /// Limit for the silence of a server that is read for an acceptor that lags.
  std::chrono::milliseconds catch_up_silence_max{3000};
};

/// Replicates the WAL of a stock Postgres: the shell of consensus::proposer, its only synchronous standby, and a client
/// of every acceptor. The path of a commit is: WAL from the Unix socket into memory, from there by one sendmsg to each
/// acceptor; the reply of the one that completes the quorum is followed at once by the status message that releases the
/// transactions. It has no timer and no other actor, and a slow acceptor only fills its own queue.
///
/// An acceptor that needs WAL which is no longer in memory gets it from another acceptor, or from Postgres when it
/// is not committed: memory does not limit transactions. A newer configuration of the timeline is adopted, with a new
/// term, while Postgres keeps running.
wal_proposer_actor spawn_wal_proposer(caf::actor_system& system, wal_proposer_options options);

}  // namespace strata::actors::compute
