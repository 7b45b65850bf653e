#pragma once

#include <string>

#include "actors/compute/protocol.hpp"
#include "host/agent_status.hpp"

namespace strata::actors::compute {

/// What the status of a proposer adds to that of its agent.
void describe_quorum(const proposer_status& of, host::agent_status& to);

/// The safekeepers that are missing the branch, with the remedy; empty: none is.
std::string missing_branches_text(const proposer_status& of, const std::string& branch);

}  // namespace strata::actors::compute
