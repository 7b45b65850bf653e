#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/proposer.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "host/agent_status.hpp"
#include "messages/compute_control.hpp"
#include "messages/interface.hpp"
#include "pg/files/standby_view.hpp"
#include "pg/types.hpp"

/// The messages between the actors of the role. No other folder sends one. A message that an actor sends to itself
/// is in its source file.
namespace strata::actors::compute {

// -- wal_proposer to its owner ---------------------------------------------------------------------------------------

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
// -- wal_feed to its owner -------------------------------------------------------------------------------------------

/// Postgres can't get the WAL that it needs next: no upstream has it any more, or it must not be replayed here.
struct feed_lost {
  std::string why;
  core::lsn before;  ///< a standby that begins before this comes there again; 0: not known
};

/// The agent.
using proposer_owner_actor =
    messages::actor_interface<messages::accepts<proposer_elected>, messages::accepts<proposer_synced>,
                              messages::accepts<proposer_superseded>, messages::accepts<proposer_quorum>,
                              messages::accepts<feed_lost>>;

// -- the agent and its control endpoints ------------------------------------------------------------------------------

/// The compute is to end; its control endpoints hear of the end by its last report.
struct end_wanted {
  bool immediate = false;  ///< nothing is waited for
};
/// These settings are used from now on, and after `restart` by another incarnation of Postgres, which begins when this
/// one has had everything acknowledged.
struct settings_adopted {
  std::vector<std::string> settings;
  bool restart = false;
};
using controlled_agent_actor =
    messages::actor_interface<messages::accepts<end_wanted>, messages::accepts<settings_adopted>>;

/// The first message of an agent.
struct agent_introduced {
  controlled_agent_actor agent;
};
/// At every change of what the agent says of itself, and before anything else happens when its state changes.
struct agent_report {
  host::agent_status status;
  std::optional<host::agent_state> ending;  ///< Postgres is being ended: the state that follows
  core::monotonic_time at{};
};
using agent_listener_actor =
    messages::actor_interface<messages::accepts<agent_introduced>, messages::accepts<agent_report>>;
using control_endpoint_actor =
    messages::compute_control_actor::extend<messages::accepts<agent_introduced>, messages::accepts<agent_report>>;

// -- to wal_feed -----------------------------------------------------------------------------------------------------

/// A new incarnation of Postgres begins here; its predecessor has ended.
struct follow_from {
  std::shared_ptr<const pg::files::standby_view> view;
  std::uint64_t system_id = 0;
  std::uint32_t timeline = 1;  ///< Postgres's
  pg::major_version major = pg::major_version::v15;
};
/// The branch has WAL up to here: an upstream that does not get there is left.
struct head_reported {
  core::lsn head;
};
struct get_feed_status {};
struct feed_status {
  std::string upstream;    ///< whose WAL flows; empty: nobody's
  std::string last_error;  ///< why not
  core::lsn head;          ///< end of the upstream's WAL
  core::lsn received;      ///< Postgres has it on its disk
  core::lsn replayed;
  std::optional<core::monotonic_time> head_at;      ///< when the upstream told; only while its messages are read
  std::optional<core::monotonic_time> replayed_at;  ///< when Postgres told
};
using wal_feed_actor = messages::actor_interface<messages::accepts<follow_from>, messages::accepts<head_reported>,
                                                 messages::answers<get_feed_status, feed_status>>;

// -- to wal_proposer --------------------------------------------------------------------------------------------------

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

}  // namespace strata::actors::compute

STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_elected)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_synced)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_superseded)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_quorum)
STRATA_LOCAL_MESSAGE(strata::actors::compute::feed_lost)
STRATA_LOCAL_MESSAGE(strata::actors::compute::end_wanted)
STRATA_LOCAL_MESSAGE(strata::actors::compute::settings_adopted)
STRATA_LOCAL_MESSAGE(strata::actors::compute::agent_introduced)
STRATA_LOCAL_MESSAGE(strata::actors::compute::agent_report)
STRATA_LOCAL_MESSAGE(strata::actors::compute::follow_from)
STRATA_LOCAL_MESSAGE(strata::actors::compute::head_reported)
STRATA_LOCAL_MESSAGE(strata::actors::compute::get_feed_status)
STRATA_LOCAL_MESSAGE(strata::actors::compute::feed_status)
STRATA_LOCAL_MESSAGE(strata::actors::compute::stream_postgres)
STRATA_LOCAL_MESSAGE(strata::actors::compute::get_proposer_status)
STRATA_LOCAL_MESSAGE(strata::actors::compute::proposer_status)
