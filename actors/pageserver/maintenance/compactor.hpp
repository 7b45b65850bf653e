#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::pageserver {

struct compactor_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
  compaction_listener timeline;
  std::shared_ptr<work_permits> permits;
  /// Set by the timeline when it stops: a compaction may run for minutes.
  std::shared_ptr<std::atomic<bool>> cancelled;
};
/// Compacts one timeline, step by step, until nothing is left to do. After five failures in a row it pauses
/// (circuit_breaker.hpp).
compactor_actor spawn_compactor(caf::actor_system& system, compactor_options options);

}  // namespace strata::actors::pageserver
