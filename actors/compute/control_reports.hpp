#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "actors/compute/protocol.hpp"
#include "core/clock.hpp"
#include "host/agent_status.hpp"

namespace strata::actors::compute {

/// What the agent reports to its control endpoints. Part of the compute agent: everything it needs of that is an
/// argument.
class control_reports {
 public:
  explicit control_reports(std::function<void(agent_report)> send) : send_(std::move(send)) {}

  /// Sends it, unless the last report was the same.
  void report(const host::agent_status& now, std::optional<host::agent_state> ending, core::monotonic_time at) {
    if (now == reported_ && ending == ending_) return;
    reported_ = now;
    ending_ = ending;
    send_({now, ending, at});
  }
  /// How long the settings of this incarnation took to write; set by the job that starts Postgres.
  [[nodiscard]] const std::shared_ptr<std::atomic<std::chrono::microseconds>>& config_time() const {
    return config_time_;
  }

 private:
  std::function<void(agent_report)> send_;
  std::optional<host::agent_status> reported_;
  std::optional<host::agent_state> ending_;
  std::shared_ptr<std::atomic<std::chrono::microseconds>> config_time_ =
      std::make_shared<std::atomic<std::chrono::microseconds>>();
};

}  // namespace strata::actors::compute
