#pragma once

#include <string>
#include <vector>

#include "control/branches.hpp"

namespace strata::cli {

/// The branches of one source as a tree, children below their parent in the order in which they leave it:
///   main                      0/3B8A110  78 MiB
///   └─ dev   from 0/3B21F08   0/3B90440  41 MiB
std::vector<std::string> draw_tree(const std::vector<control::branch_entry>& branches, bool lines, core::wall_time now);

}  // namespace strata::cli
