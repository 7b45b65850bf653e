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

/// The tenants of the server: loads them all when it starts (requests wait for that), adds and deletes them, and
/// forwards requests for one tenant to it. A tenant with damaged metadata is broken, and its files are not changed.
/// Told to exit it stops all tenants first.
messages::tenant_manager_actor spawn_tenant_manager(caf::actor_system& system, tenant_manager_options options);

/// The default slot of a source: strata_<name>, in the characters that Postgres allows.
std::string default_slot(std::string_view tenant_name);

}  // namespace strata::actors::pageserver
