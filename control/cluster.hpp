#pragma once

#include <string>

#include "consensus/cluster_view.hpp"
#include "control/scope.hpp"

namespace strata::control {

/// GET /v1/cluster of the running server. Without a server, or if it does not answer, the safekeepers are asked from
/// here: they outlive the server. Then branches have no names, and times are unknown.
consensus::cluster_view look_at_cluster(const scope& of);

/// "up", "up, disk full", "down: not running", "unreachable since 2026-11-22 14:06:41 CET: not responding: ..."
std::string state_text(const consensus::safekeeper_status& of);

}  // namespace strata::control
