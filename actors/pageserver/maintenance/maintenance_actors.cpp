#include "actors/pageserver/maintenance/maintenance_actors.hpp"

#include "actors/pageserver/maintenance/compactor.hpp"
#include "actors/pageserver/maintenance/flusher.hpp"
#include "actors/pageserver/maintenance/garbage_collector.hpp"

namespace strata::actors::pageserver {

maintenance_actors spawn_maintenance(caf::actor_system& system, const maintenance_options& options) {
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  return {
      .flusher = spawn_flusher(system, {.label = options.label, .store = options.store, .timeline = options.timeline}),
      .compactor = spawn_compactor(system, {.label = options.label,
                                            .store = options.store,
                                            .timeline = options.timeline,
                                            .permits = options.permits,
                                            .cancelled = cancelled}),
      .collector = spawn_garbage_collector(
          system, {.label = options.label, .store = options.store, .permits = options.permits, .cancelled = cancelled}),
      .cancelled = cancelled,
  };
}

}  // namespace strata::actors::pageserver
