#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

struct garbage_collector_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
  std::shared_ptr<work_permits> permits;               ///< a check of layers takes one
  std::shared_ptr<const std::atomic<bool>> cancelled;  ///< ends a check of layers
};
/// The part of garbage collection that blocks; the timeline decides what to keep (retention.hpp).
garbage_collector_actor spawn_garbage_collector(caf::actor_system& system, garbage_collector_options options);

}  // namespace strata::actors::pageserver
