#pragma once

#include <nlohmann/json_fwd.hpp>

#include "consensus/cluster_view.hpp"
#include "core/result.hpp"

namespace strata::api {

/// The answer of GET /v1/cluster, and back. What is unknown is absent.
nlohmann::json to_json(const consensus::cluster_view& view);
/// errc::corrupt names the part that is missing or invalid.
core::result<consensus::cluster_view> parse_cluster_view(const nlohmann::json& from);

}  // namespace strata::api
