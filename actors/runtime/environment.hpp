#pragma once

#include <memory>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/runtime/actor_registry.hpp"
#include "actors/runtime/metrics.hpp"
#include "actors/runtime/pools.hpp"
#include "actors/runtime/process_metrics.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "core/clock.hpp"

namespace strata::actors::runtime {

/// Shared by all actors of a process. Everything in it may be used from any thread.
class environment {
 public:
  environment(const pool_sizes& pools, const core::clock& clock) : pools_(pools), clock_(clock) {}

  [[nodiscard]] actor_registry& registry() { return registry_; }
  [[nodiscard]] runtime::metrics& metrics() { return metrics_; }
  [[nodiscard]] pool_counters& pools() { return pools_; }
  [[nodiscard]] socket_watcher& sockets() { return sockets_; }
  [[nodiscard]] const core::clock& clock() const { return clock_; }

 private:
  runtime::metrics metrics_;
  actor_registry registry_;
  pool_counters pools_;
  process_metrics process_metrics_{metrics_, registry_, pools_};
  socket_watcher sockets_;
  const core::clock& clock_;
};

/// The one of the process the system belongs to. Precondition: the system is a process_system's (system.hpp).
environment& environment_of(const caf::actor_system& system);

/// How environment_of() finds it; created by process_system.
class environment_config : public caf::actor_system_config {
 public:
  explicit environment_config(environment& of) : of_(of) {}
  [[nodiscard]] environment& of() const { return of_; }

 private:
  environment& of_;
};

}  // namespace strata::actors::runtime
