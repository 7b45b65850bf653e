#pragma once

#include <caf/actor_system.hpp>

#include "actors/pageserver/tenant.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

struct tenant_manager_options {
  runtime::actor_label label;
  tenant_context context;
};

/// Which tenants are here: loads them all when it starts (requests wait for that), adds and deletes them, and passes
/// requests for one tenant to it. One whose metadata is damaged is broken, and nothing of it is touched. Told to
/// exit it stops all tenants first.
messages::tenant_manager_actor spawn_tenant_manager(caf::actor_system& system, tenant_manager_options options);

/// The slot of a source that was added without naming one: strata_<name>, in the letters that Postgres allows.
std::string default_slot(std::string_view tenant_name);

}  // namespace strata::actors::pageserver
