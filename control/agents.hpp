#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "control/scope.hpp"
#include "control/won_terms.hpp"
#include "host/agent_status.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// The agent of a compute whose writes go into the branch: a process of its own, `strata compute-agent`, which is found
/// by the lock it holds in the compute's directory.
std::optional<pid_t> agent_of(const scope& of, const std::string& compute);

/// Whether the one that runs has written its status; when none runs, whether one ever did.
bool has_agent_status(const scope& of, const std::string& compute);

/// The last status that the agent has written, as far as it still holds: if the agent ended without a final one the
/// state is `failed`; of a writer whose branch another compute has won since, whether its agent has noticed or not,
/// `superseded`; a lag of before is unknown.
host::agent_status status_of(const scope& of, const host::compute_record& record);
/// For several computes.
host::agent_status status_of(const scope& of, const host::compute_record& record, const won_terms& terms);

/// Starts the agent, shows its progress, and waits until Postgres runs, as long as the start advances
/// (start_progress.hpp). On a failure the agent is ended: the failure has the first reason, and after it what could not
/// be ended.
host::agent_status start_agent(const scope& of, const host::compute_record& record);

/// Whether an agent has ended, within `limit`, or has let go of its compute: it may still show its end at its control
/// port for some seconds.
bool wait_for_agent(const scope& of, const std::string& compute, pid_t agent, std::chrono::milliseconds limit);

/// Limit of the wait for acknowledgements; the agent itself waits no longer.
inline constexpr std::chrono::seconds stop_limit_max{60};
/// Stops Postgres cleanly, then the agent. No effect if none runs. After `limit` Postgres is stopped at once, and a
/// failure names what may be lost: nothing acknowledged.
void stop_agent(const scope& of, const host::compute_record& record, std::chrono::milliseconds limit = stop_limit_max);

}  // namespace strata::control
