#pragma once

#include <functional>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/runtime/environment.hpp"

namespace strata::actors::runtime {

struct process_options {
  pool_sizes pools;
  const core::clock* clock = &core::system_clock();
  /// For tests: CAF's test scheduler, driven by tests/support/deterministic_system.hpp. Sockets are not watched then.
  bool deterministic = false;
  /// A role's own settings of CAF, before it starts: the network (actors/broker/network.hpp).
  std::function<void(caf::actor_system_config&)> configure;
};

/// The actor system of a process with everything around it: pools, registry, metrics, the socket watcher.
class process_system {
 public:
  explicit process_system(const process_options& options = {});
  /// Ends all living actors (their supervisor has stopped them in order before) and waits for the last job.
  ~process_system();
  process_system(const process_system&) = delete;
  process_system& operator=(const process_system&) = delete;

  [[nodiscard]] caf::actor_system& actors() { return *actors_; }
  [[nodiscard]] environment& env() { return environment_; }

 private:
  environment environment_;
  environment_config config_;
  std::unique_ptr<caf::actor_system> actors_;
  bool deterministic_;
};

}  // namespace strata::actors::runtime
