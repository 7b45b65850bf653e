#pragma once

#include <chrono>

#include <caf/actor_system.hpp>

#include "actors/runtime/actor_registry.hpp"
#include "messages/basebackup.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

struct backup_factory_options {
  runtime::actor_label label;
  messages::tenant_manager_actor tenants;
  std::chrono::milliseconds wait_lsn_timeout{60'000};
  /// Open archives: a slow reader keeps one open as long as it takes. Of the full kind exports_max, of the kinds that a
  /// compute starts from computes_max.
  int exports_max = 64;
  int computes_max = 256;
};

/// Opens timelines at an LSN (waits for it, checks the window) and starts a basebackup actor for each archive. The
/// archives are written on threads of their own; beyond the limit a request is refused with errc::busy.
messages::backup_factory_actor spawn_backup_factory(caf::actor_system& system, backup_factory_options options);

}  // namespace strata::actors::pageserver
