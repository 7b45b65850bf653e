#include "placement/branch_reset.hpp"

#include <algorithm>

#include "config/branch_spec.hpp"
#include "core/check.hpp"
#include "placement/timeline_deletion.hpp"

namespace strata::placement {

core::result<void> check_reset(const core::timeline_id& id, const std::optional<std::string>& keep_as,
                               std::span<const known_branch> branches) {
  const auto own = std::ranges::find(branches, id, &known_branch::id);
  core::check(own != branches.end(), "a reset is of a branch that is there");
  const std::string name(own->name);
  if (own->in != known_branch::phase::present)
    return core::error{core::errc::busy, "branch " + name + " is being reset"};
  if (!own->ancestor) return core::error{core::errc::conflict, "branch " + name + " has no parent branch"};
  if (!keep_as) return check_deletion(id, branches);
  STRATA_TRY(config::check_name("branch", *keep_as));
  if (std::ranges::find(branches, *keep_as, &known_branch::name) != branches.end())
    return core::error{core::errc::conflict, "branch " + *keep_as + " already exists"};
  return {};
}

storage::timeline_edit edit_of_reset(const std::optional<std::string>& keep_as) {
  storage::timeline_edit edit;
  if (keep_as) {
    edit.name = *keep_as;
    edit.expires.emplace();
  } else {
    edit.state = storage::timeline_state::deleting;
  }
  return edit;
}

}  // namespace strata::placement
