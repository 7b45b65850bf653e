#pragma once

#include <caf/actor_system.hpp>
#include <chrono>
#include <memory>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::pageserver {

struct import_restarter_options {
  runtime::actor_label label;
  storage::timeline_record record;
  tenant_attachment attachment;
  std::shared_ptr<tenant_files> files;
  std::chrono::milliseconds pause;
};

/// Removes the files of a failed import at once, creates the store for the next attempt, and ends. Told to exit it
/// first completes a write in progress.
import_restarter_actor spawn_import_restarter(caf::actor_system& system, import_restarter_options options);

}  // namespace strata::actors::pageserver
