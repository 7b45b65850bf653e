#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "control/scope.hpp"
#include "host/agent_status.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// The agent of a compute whose writes go into the branch: a process of its own, `strata compute-agent`, which is found
/// by the lock it holds in the compute's directory.
std::optional<pid_t> agent_of(const scope& of, const std::string& compute);

/// Whether one ever ran.
bool has_agent_status(const scope& of, const std::string& compute);

/// What it says of itself, or said last: when it has ended without a last word the state is `failed`.
host::agent_status status_of(const scope& of, const host::compute_record& record);

/// Starts the agent and waits, showing what it does, until Postgres runs. When that can't be the agent is ended and the
/// failure has its reason.
host::agent_status start_agent(const scope& of, const host::compute_record& record);

/// How long Postgres gets to have everything acknowledged; the agent itself waits no longer.
inline constexpr std::chrono::seconds stop_limit_max{60};
/// Stops Postgres in order and then the agent. No effect when none runs. After `limit` Postgres is ended at once, and
/// then a failure says what may be lost: nothing that was acknowledged.
void stop_agent(const scope& of, const host::compute_record& record, std::chrono::milliseconds limit = stop_limit_max);

}  // namespace strata::control
