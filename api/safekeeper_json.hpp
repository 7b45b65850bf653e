#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "consensus/cluster_view.hpp"
#include "core/result.hpp"
#include "messages/safekeeper.hpp"

namespace strata::api {

/// A safekeeper's timeline in the words of its API (safekeeper_routes.cpp), and back, as one safekeeper reads it from
/// another.
nlohmann::json to_json(const messages::wal_timeline_info& timeline);
/// What is needed to pull it. errc::corrupt.
core::result<messages::wal_donor> parse_donor(const nlohmann::json& timeline);

/// What a view of the cluster needs of it. A configuration that can't be read is generation 0. errc::corrupt.
core::result<consensus::timeline_copy> parse_timeline_copy(const nlohmann::json& timeline);

/// {"generation", "members": [{"id", "host", "port"}], "new_members": the same or null}
nlohmann::json configuration_json(const consensus::configuration& of);
/// Also checked by consensus::check(); `name` is the member's, for errors.
core::result<consensus::configuration> parse_configuration(const nlohmann::json& from, std::string_view name);

}  // namespace strata::api
