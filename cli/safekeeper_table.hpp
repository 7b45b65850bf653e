#pragma once

#include <vector>

#include "control/safekeeper_views.hpp"

namespace strata::cli {

/// Both tables. Timelines go by the names of `branches`, or by their ids where there is none.
void print_safekeepers(const std::vector<control::safekeeper_view>& all,
                       const std::vector<control::branch_entry>& branches);

}  // namespace strata::cli
