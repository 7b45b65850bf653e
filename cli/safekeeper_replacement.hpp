#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/context.hpp"

namespace strata::cli {

struct replacement_request {
  std::string branch;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool abandon = false;             ///< go back to the old members instead
  std::chrono::seconds limit{600};  ///< for the new member to catch up
};

/// Replaces a member of a branch's safekeepers while the branch is written to, or goes back from a replacement that is
/// under way. What the server has is the truth: whatever ends this, the same command goes on where it stood. Prints
/// each step. Throws failures that say in which state things are and what to do.
void replace_safekeeper(const context& of, const replacement_request& request);

}  // namespace strata::cli
