#pragma once

#include <caf/actor_system.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "actors/runtime/actor_registry.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The cutoff that the tenant's options ask for now. errc::conflict when clocks disagree.
struct plan_cutoff {
  std::optional<std::chrono::microseconds> source_ahead;  ///< the source's clock minus this machine's
  std::optional<std::uint64_t> horizon_bytes;             ///< in place of the option
};
struct cutoff_planned {
  core::lsn cutoff;
};
/// Removes what `keep` does not need. The timeline has stopped giving out points below keep.cutoff before it asks.
struct collect_layers {
  storage::timeline_store::retention keep;
};

/// The part of garbage collection that blocks; what to keep is decided by the timeline (retention.hpp).
using garbage_collector_actor =
    messages::actor_interface<messages::answers<plan_cutoff, cutoff_planned>,
                              messages::answers<collect_layers, messages::garbage_collected>>;

struct garbage_collector_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
};
garbage_collector_actor spawn_garbage_collector(caf::actor_system& system, garbage_collector_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::plan_cutoff)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::cutoff_planned)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::collect_layers)
