#pragma once

#include "messages/basebackup.hpp"
#include "messages/interface.hpp"
#include "messages/introspection.hpp"
#include "messages/pending_operations.hpp"
#include "messages/safekeeper.hpp"
#include "messages/tenant.hpp"

namespace strata::messages {

/// The actors of a role that the rest of the process sends requests to, answered by the role's supervisor. The handles
/// are valid until the supervisor has ended.
struct get_services {};

struct pageserver_services {
  tenant_manager_actor tenants;
  safekeeper_reconciler_actor reconciler;
  backup_factory_actor backups;
  introspector_actor introspector;
};
using pageserver_supervisor_actor = actor_interface<answers<get_services, pageserver_services>>;

struct safekeeper_services {
  wal_timelines_actor timelines;
};
using safekeeper_supervisor_actor = actor_interface<answers<get_services, safekeeper_services>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::get_services)
STRATA_LOCAL_MESSAGE(strata::messages::pageserver_services)
STRATA_LOCAL_MESSAGE(strata::messages::safekeeper_services)
