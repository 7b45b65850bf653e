#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "control/agents.hpp"
#include "control/branches.hpp"
#include "host/registry.hpp"

namespace strata::control {

struct branch_reset_request {
  std::string branch;
  std::string to;       ///< WHEN of the parent; empty: its head
  std::string keep_as;  ///< the old branch is kept under this name; empty: it is deleted
  /// How long a writer waits for acknowledgements of what is about to go.
  std::chrono::milliseconds stop_limit = stop_limit_max;
};

/// A reset puts a new branch, at a point of the parent, in the place of the old one. The computes that follow the head
/// move to it: they keep their names, ports and URIs, and their sessions end.
struct branch_reset {
  branch_entry branch;
  branch_entry parent;
  resolved_point to;
  std::string keep_as;
  std::chrono::milliseconds stop_limit{};
  std::vector<host::compute_record> moving;   ///< writers and standbys
  std::vector<host::compute_record> staying;  ///< readers and copies: they go with the old branch
};
/// Changes nothing. The name must be whole, or the id; a failure says why the branch can't be reset.
branch_reset plan_reset(const scope& of, const branch_reset_request& asked);
/// What a person reads before, a fact a line.
std::vector<std::string> describe(const scope& of, const branch_reset& plan);

/// Carries it out; the timeline as the server has created it. With `force` the computes go that would lose their
/// branch; without it they make it fail before anything is changed, as another reset does that runs or has run since
/// the plan was made. If it fails after it has stopped computes they are started again; one that can't be is named with
/// the command that starts it. A failure at a compute after the reset says that the branch was reset.
nlohmann::json reset_branch(const scope& of, branch_reset plan, bool force);

}  // namespace strata::control
