#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "core/clock.hpp"
#include "host/agent_status.hpp"
#include "messages/compute_control.hpp"

namespace strata::actors::compute {

/// Measures the steps of a start of Postgres by the states of its agent. An incarnation begins with the agent or with
/// the end of the Postgres before; a step that is begun again within it counts in full.
class startup_times {
 public:
  /// The agent has entered a state. True: Postgres has become ready, and the times are complete.
  bool entered(host::agent_state state, core::monotonic_time now);
  /// Adds the steps that are over. `config`: the part of the last `starting` in which settings were written.
  void describe(messages::startup_metrics& to, std::chrono::microseconds config) const;

 private:
  static constexpr std::size_t steps = static_cast<std::size_t>(host::agent_state::running);

  std::optional<host::agent_state> state_;
  core::monotonic_time since_{};
  core::monotonic_time begun_{};
  std::array<std::optional<std::chrono::microseconds>, steps> took_{};
  std::optional<std::chrono::microseconds> total_;
};

}  // namespace strata::actors::compute
