#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"
#include "messages/states.hpp"

namespace strata::messages {

/// The state of a compute does not allow the request, and nothing of it was done.
struct state_refusal {
  compute_state now{};
  std::vector<compute_state> allowed;  ///< empty: none, a compute of this mode never takes the request
  std::string why;
};

struct get_compute_status {};
struct compute_status {
  compute_state state{};
  std::string error;   ///< why it failed; empty unless it did
  std::string detail;  ///< for people: what it waits for, why it restarts
  /// When a client's session last did something; absent: none has since the agent began. Of sessions that came and
  /// went since the last request nothing is known but that there were some: they count as active now.
  std::optional<core::wall_time> last_active;
  core::wall_time start_time{};  ///< of the agent
  std::string compute;
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::string branch;  ///< "shop/dev"
  std::string mode;    ///< as in records: "branch"
  std::string agent_state;
  int pg_major = 0;
  std::uint16_t port = 0;
  std::uint32_t incarnations = 0;  ///< times that Postgres became ready
  std::uint64_t term = 0;
  core::lsn start_lsn;
  core::lsn commit_lsn;  ///< a quorum has it; 0/0 if it does not write
  bool has_quorum = false;
  std::vector<std::string> settings;  ///< those in force
};

/// How long the steps of the last start of Postgres took. Absent: the step is not over.
struct get_startup_metrics {};
struct startup_metrics {
  using duration = std::optional<std::chrono::microseconds>;
  duration sync_safekeepers;
  duration pageserver;  ///< waiting until the server of the branch has its WAL
  duration basebackup;  ///< what the data directory took after these
  duration config;
  duration start_postgres;
  duration total;
  std::uint64_t basebackup_bytes = 0;
  std::uint64_t pages_fetched = 0;
  std::uint32_t incarnations = 0;
};

/// Commits something, which leaves nothing behind but WAL. Answered within about `limit`, and 2 s more when Postgres
/// takes no connection.
struct check_writability {
  std::chrono::milliseconds limit{5000};
};
struct writable {
  core::lsn durable;  ///< what was committed is before this
};
struct not_writable {
  std::string component;  ///< "postgres", "quorum": that does not answer
  std::string why;
};
using writability = std::variant<state_refusal, not_writable, writable>;

/// Replaces the lines that were given by `compute start --set` or by an earlier request, in this incarnation and in
/// later ones. After an error the earlier lines are in force.
struct configure_compute {
  std::vector<std::string> settings;
};
struct compute_configured {
  struct overridden_line {
    std::string line;
    std::string by;
  };
  bool restarted = false;                   ///< Postgres was: a setting needed that
  std::vector<std::string> needed_restart;  ///< these
  std::vector<overridden_line> overridden;  ///< by what Strata forces, or ALTER SYSTEM
};
using configuration_answer = std::variant<state_refusal, compute_configured>;

/// Ends the compute; answered when its Postgres and its agent's work have ended. `immediate`: without waiting for
/// acknowledgements; transactions whose COMMIT has not returned may be lost.
struct end_compute {
  bool immediate = false;
};
struct compute_ended {
  core::lsn durable;  ///< the branch has everything before this, or a compute that writes nothing showed it
};
using end_answer = std::variant<state_refusal, compute_ended>;

/// The control endpoints of a compute, as an actor.
using compute_control_actor =
    actor_interface<answers<get_compute_status, compute_status>, answers<get_startup_metrics, startup_metrics>,
                    answers<check_writability, writability>, answers<configure_compute, configuration_answer>,
                    answers<end_compute, end_answer>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::get_compute_status)
STRATA_LOCAL_MESSAGE(strata::messages::compute_status)
STRATA_LOCAL_MESSAGE(strata::messages::get_startup_metrics)
STRATA_LOCAL_MESSAGE(strata::messages::startup_metrics)
STRATA_LOCAL_MESSAGE(strata::messages::check_writability)
STRATA_LOCAL_MESSAGE(strata::messages::writability)
STRATA_LOCAL_MESSAGE(strata::messages::configure_compute)
STRATA_LOCAL_MESSAGE(strata::messages::configuration_answer)
STRATA_LOCAL_MESSAGE(strata::messages::end_compute)
STRATA_LOCAL_MESSAGE(strata::messages::end_answer)
