#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "host/agent_status.hpp"

namespace strata::control {

/// Judges whether the start of a compute still advances: by the furthest state that its agent reached, the bytes that
/// it restored, and the WAL that the pageserver has. The same step a second time is no advance.
class start_progress {
 public:
  /// Limit without an advance while the agent reports what it waits for or what fails, and while it reports nothing:
  /// the steps of the agent have limits of their own.
  static constexpr std::chrono::seconds limit_with_reason{30};
  static constexpr std::chrono::seconds limit_without_reason{120};

  explicit start_progress(core::monotonic_time now) : advanced_(now) {}

  /// `status`: none before the agent has written one.
  void look(const std::optional<host::agent_status>& status, core::monotonic_time now);
  [[nodiscard]] bool is_stuck(core::monotonic_time now) const {
    return now - advanced_ > (has_reason_ ? limit_with_reason : limit_without_reason);
  }

 private:
  core::monotonic_time advanced_;
  std::optional<host::agent_state> furthest_;
  std::uint64_t bytes_ = 0;
  core::lsn applied_;
  bool has_reason_ = false;
};

}  // namespace strata::control
