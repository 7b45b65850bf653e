#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <memory>
#include <string>

#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// Look whether there is something to compact.
struct compaction_due {};

/// How compaction stands; told to the timeline when it changes.
struct compaction_health {
  std::string last_error;  ///< empty: the last attempt succeeded
};
using compaction_listener = messages::actor_interface<messages::accepts<compaction_health>>;

/// compact_timeline runs now, whatever failed before; with force it rewrites even a few L0 layers.
using compactor_actor =
    messages::actor_interface<messages::answers<messages::compact_timeline, messages::timeline_compacted>,
                              messages::accepts<compaction_due>>;

struct compactor_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
  compaction_listener timeline;
  std::shared_ptr<work_permits> permits;
  /// Set by the timeline when it stops: the compactor may be in the middle of minutes of work.
  std::shared_ptr<std::atomic<bool>> cancelled;
};
/// Compacts one timeline, step by step, as long as there is something to do. After five failures in a row it pauses
/// (circuit_breaker.hpp).
compactor_actor spawn_compactor(caf::actor_system& system, compactor_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::compaction_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::compaction_health)
