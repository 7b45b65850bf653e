#pragma once

#include <span>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "placement/known_branch.hpp"

namespace strata::placement {

/// errc::invalid_argument when the time has passed; errc::conflict when the branch is protected, or follows a source or
/// is one's root: nothing would be left of the tenant's history.
core::result<void> check_expiry(const known_branch& branch, core::wall_time expires, core::wall_time now);

/// The branches that have expired and can be deleted: those with child branches stay until the children are gone.
std::vector<core::timeline_id> expired_branches(std::span<const known_branch> branches, core::wall_time now);

}  // namespace strata::placement
