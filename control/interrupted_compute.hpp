#pragma once

#include <string>

#include "control/scope.hpp"

namespace strata::control {

/// Ends what a command that a signal has ended had begun on a compute: its children, the agent, the Postgres; without
/// `keep` its directory, too. Runs in the process that the command has become (discard.hpp). False: something still
/// runs, or is left.
bool discard_interrupted(const scope& of, const std::string& compute, bool keep);

}  // namespace strata::control
