#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "placement/known_branch.hpp"
#include "storage/records.hpp"

namespace strata::placement {

/// A reset creates a branch at a newer point of the parent and gives it the name of the old one, in one durable step.
/// The old branch is deleted in that step, or gets the name `keep_as`.

/// errc::conflict when the branch has no parent, is protected, or has child branches and is not kept, or when `keep_as`
/// is taken; errc::invalid_argument for a name; errc::busy while it is being reset. Precondition: it is among
/// `branches`.
core::result<void> check_reset(const core::timeline_id& id, const std::optional<std::string>& keep_as,
                               std::span<const known_branch> branches);

/// What becomes of the old branch's record.
storage::timeline_edit edit_of_reset(const std::optional<std::string>& keep_as);

}  // namespace strata::placement
