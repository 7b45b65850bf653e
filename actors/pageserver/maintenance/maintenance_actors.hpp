#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The actors that write and remove the layers of one timeline. It adopts them.
struct maintenance_actors {
  flusher_actor flusher;
  compactor_actor compactor;
  garbage_collector_actor collector;
  /// Set when the timeline stops: a compaction then ends within a step.
  std::shared_ptr<std::atomic<bool>> cancelled;

  template <class Function>
  void each(Function with) const {
    with(flusher);
    with(compactor);
    with(collector);
  }
};

struct maintenance_options {
  runtime::actor_label label;  ///< of each of them
  std::shared_ptr<storage::timeline_store> store;
  owned_timeline_actor timeline;
  std::shared_ptr<work_permits> permits;
};
maintenance_actors spawn_maintenance(caf::actor_system& system, const maintenance_options& options);

}  // namespace strata::actors::pageserver
