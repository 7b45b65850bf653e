#pragma once

#include "control/cluster.hpp"

namespace strata::cli {

/// Both tables, the health, and how a member without its branch is replaced.
void print_safekeepers(const consensus::cluster_view& cluster);

}  // namespace strata::cli
