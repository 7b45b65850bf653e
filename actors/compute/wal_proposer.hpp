#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/compute/safekeeper_location.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "consensus/proposer.hpp"
#include "messages/interface.hpp"

namespace strata::actors::compute {

// -- to the owner -----------------------------------------------------------------------------------------------------

/// Only our WAL can be acknowledged, until superseded. It begins at `start`.
struct proposer_elected {
  consensus::term in;
  core::lsn start;
};
/// A quorum has everything before `start` in our term: it survives, and a Postgres may be started there.
struct proposer_synced {
  core::lsn start;
};
/// Final: another proposer has a higher term. Nothing is acknowledged any more.
struct proposer_superseded {
  consensus::term by;
};
/// Whether a quorum of acceptors follows us. Sent when it changes; without a quorum commits wait.
struct proposer_quorum {
  bool reached = false;
};
using proposer_owner_actor =
    messages::actor_interface<messages::accepts<proposer_elected>, messages::accepts<proposer_synced>,
                              messages::accepts<proposer_superseded>, messages::accepts<proposer_quorum>>;

// -- to the proposer --------------------------------------------------------------------------------------------------

/// The Postgres whose WAL it is runs; it was started at proposer_synced::start. Its stream is reopened for as long as
/// this actor lives.
struct stream_postgres {
  std::string conninfo;
};

struct get_proposer_status {};
struct proposer_status {
  struct acceptor {
    consensus::member of;
    consensus::proposer::peer::state now = consensus::proposer::peer::state::away;
    core::lsn flush_lsn;
    std::string last_error;     ///< why it is not connected
    bool lacks_branch = false;  ///< it answers, but the timeline is missing
  };
  consensus::proposer::phase now = consensus::proposer::phase::collecting;
  consensus::term in;
  std::uint32_t generation = 0;
  core::lsn start;
  core::lsn written;  ///< received from Postgres
  core::lsn commit;
  core::lsn applied;  ///< the pageserver has ingested it, by the safekeepers' reports
  bool streaming = false;
  std::vector<acceptor> acceptors;
};

using wal_proposer_actor = messages::actor_interface<messages::accepts<stream_postgres>,
                                                     messages::answers<get_proposer_status, proposer_status>>;

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

STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_elected)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_synced)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_superseded)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_quorum)
STRATA_LOCAL_MESSAGE(strata::actors::compute::stream_postgres)
STRATA_LOCAL_MESSAGE(strata::actors::compute::get_proposer_status)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_status)
