#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "control/branches.hpp"

namespace strata::control {

struct replacement_request {
  std::string branch;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool abandon = false;             ///< go back to the old members instead
  std::chrono::seconds limit{600};  ///< for the new member to catch up
};

struct replaced_safekeeper {
  branch_entry branch;
  consensus::configuration members;
  std::vector<std::string> steps;  ///< that were done, for people
};

/// Replaces a member of a branch's safekeepers while the branch is written to, or goes back from a replacement that is
/// under way. What the server has is the truth: whatever ends this, the same command goes on where it stood. `done`
/// gets each step when it is done. Throws failures that say in which state things are and what to do.
replaced_safekeeper replace_safekeeper(const scope& of, const replacement_request& request,
                                       const std::function<void(const std::string& step)>& done);

}  // namespace strata::control
