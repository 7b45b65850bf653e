#pragma once

#include <caf/actor_system.hpp>
#include <chrono>
#include <memory>

#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/interface.hpp"

namespace strata::actors::pageserver {

struct import_restarter_options {
  runtime::actor_label label;
  storage::timeline_record record;
  config::tenant_options tenant;
  std::shared_ptr<tenant_files> files;
  std::chrono::milliseconds pause;
};

/// Answered after the pause with an empty store for the next attempt, or with why there is none.
struct restart_import {};
struct import_restarted {
  std::shared_ptr<storage::timeline_store> store;
};
using import_restarter_actor = messages::actor_interface<messages::answers<restart_import, import_restarted>>;

/// Frees at once what a failed import has written, makes the store for the next attempt, and ends. Told to exit it
/// completes what it is writing first.
import_restarter_actor spawn_import_restarter(caf::actor_system& system, import_restarter_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::restart_import)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::import_restarted)
