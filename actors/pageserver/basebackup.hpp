#pragma once

#include <chrono>

#include <caf/actor_system.hpp>

#include "actors/support/actor_registry.hpp"
#include "messages/basebackup.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

struct backup_factory_options {
  support::actor_label label;
  messages::tenant_manager_actor tenants;
  std::chrono::milliseconds wait_lsn_timeout{60'000};
};

/// Opens timelines at an LSN (waiting for it, checking the window) and starts a basebackup actor for each archive.
messages::backup_factory_actor spawn_backup_factory(caf::actor_system& system, backup_factory_options options);

}  // namespace strata::actors::pageserver
