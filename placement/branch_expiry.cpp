#include "placement/branch_expiry.hpp"

#include "placement/timeline_deletion.hpp"

namespace strata::placement {

core::result<void> check_expiry(const known_branch& branch, core::wall_time expires, core::wall_time now) {
  const std::string name(branch.name);
  if (expires <= now) return core::error{core::errc::invalid_argument, "branch " + name + " can't expire in the past"};
  if (branch.deletion_protected)
    return core::error{core::errc::conflict, "branch " + name + " is protected from deletion, so it can't expire"};
  if (!branch.ancestor)
    return core::error{core::errc::conflict, "branch " + name + " has no parent branch, so it can't expire"};
  return {};
}

std::vector<core::timeline_id> expired_branches(std::span<const known_branch> branches, core::wall_time now) {
  std::vector<core::timeline_id> found;
  for (const known_branch& each : branches)
    if (each.in == known_branch::phase::present && each.expires && *each.expires <= now &&
        check_deletion(each.id, branches))
      found.push_back(each.id);
  return found;
}

}  // namespace strata::placement
