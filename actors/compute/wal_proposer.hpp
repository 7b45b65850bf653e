#pragma once

#include <chrono>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/compute/protocol.hpp"
#include "actors/compute/safekeeper_location.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "consensus/proposer.hpp"

namespace strata::actors::compute {

struct wal_proposer_options {
  runtime::actor_label label;
  consensus::proposer_options proposer;
  proposer_owner_actor owner;
  locate_safekeeper locate;  ///< null: members are where the configuration says
  /// Of WAL. While it is full of what no quorum has been sent Postgres is not read from.
  std::size_t memory_bytes = 64u << 20;
  std::chrono::milliseconds tick{1000};  ///< signs of life, reconnects
  std::chrono::milliseconds connect_limit{5000};
  std::chrono::milliseconds silence_max{10'000};
  /// Somebody who is read from for an acceptor that lags, and sends nothing.
  std::chrono::milliseconds catch_up_silence_max{3000};
};

/// Replicates the WAL of a stock Postgres: the shell of consensus::proposer, its only synchronous standby, and a client
/// of every acceptor. The way of a commit is: WAL from the Unix socket into memory, from there by one sendmsg to each
/// acceptor; the reply of the one that completes the quorum is followed at once by the status message that releases the
/// transactions. No timer and no other actor is on it, and a slow acceptor only fills its own queue.
///
/// An acceptor that needs WAL which is not in memory any more gets it from another acceptor, or from Postgres when it
/// is not committed: memory bounds no transaction. A newer configuration of the timeline is adopted, with a new term,
/// and Postgres does not notice.
wal_proposer_actor spawn_wal_proposer(caf::actor_system& system, wal_proposer_options options);

}  // namespace strata::actors::compute
