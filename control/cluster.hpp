#pragma once

#include <string>
#include <vector>

#include "consensus/cluster_view.hpp"
#include "control/scope.hpp"

namespace strata::control {

/// GET /v1/cluster of the running server. Without a server, or if it does not answer, the safekeepers are asked from
/// here: they outlive the server. Then branches have no names, and times are unknown. A directory with neither a server
/// nor safekeepers throws as server_link does.
consensus::cluster_view look_at_cluster(const scope& of);

/// "up", "up, disk full", "down: not running", "unreachable since 2026-11-22 14:06:41 CET: safekeeper 3 at ... did not
/// answer within 3 s"
std::string state_text(const consensus::safekeeper_status& of);

// For tables: a state is a word or two, and the reasons are lines below it.

/// "up", "up, disk full", "down"
std::string short_state(const consensus::safekeeper_status& of);
/// "active", "active; disk full", "broken"
std::string short_state(const consensus::quorum_view::row& of);
/// "safekeeper 3 is down: not running", of each that is not up.
std::vector<std::string> reasons_of(const std::vector<consensus::safekeeper_status>& all);
/// "safekeeper 3: shop/dev and 2 more branches: broken: ...", one for each reason that a safekeeper has.
std::vector<std::string> reasons_of(const std::vector<consensus::quorum_view>& all);

}  // namespace strata::control
