#pragma once

#include <nlohmann/json_fwd.hpp>

#include "messages/introspection.hpp"
#include "messages/pending_operations.hpp"
#include "messages/tenant.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::api {

/// What actors answer, in the words of the API (schemas.cpp).
nlohmann::json slots_to_json(const std::vector<messages::slot_left>& slots);
nlohmann::json to_json(const messages::tenant_info& tenant);
nlohmann::json to_json(const messages::timeline_info& timeline);
nlohmann::json to_json(const consensus::configuration& safekeepers);
nlohmann::json to_json(const messages::pending_operation& operation);
nlohmann::json to_json(const messages::actor_info& actor);
nlohmann::json to_json(const messages::pool_info& pool);
nlohmann::json to_json(const storage::layer_record& layer);

}  // namespace strata::api
