#pragma once

#include <chrono>

#include "core/backoff.hpp"
#include "core/clock.hpp"

namespace strata::actors::pageserver {

/// Decides when work that keeps failing may be retried.
///
///   closed --failures_max failures in a row--> open --pause is over--> (one try) --success--> closed
///                                                ^--------- failure, pause doubles ------'
class circuit_breaker {
 public:
  struct limits {
    int failures_max = 5;
    std::chrono::milliseconds pause_first = std::chrono::minutes(1);
    std::chrono::milliseconds pause_max = std::chrono::hours(1);
  };
  circuit_breaker() = default;
  explicit circuit_breaker(const limits& of) : limits_(of) {}

  [[nodiscard]] bool allows(core::monotonic_time now) const { return !open() || now >= next_try_; }
  [[nodiscard]] bool open() const { return failures_ >= limits_.failures_max; }
  [[nodiscard]] int failures() const { return failures_; }
  void succeeded() {
    failures_ = 0;
    pauses_.reset();
  }
  void failed(core::monotonic_time now);

 private:
  limits limits_;
  core::backoff pauses_{{.first = limits_.pause_first, .longest = limits_.pause_max}};
  int failures_ = 0;
  core::monotonic_time next_try_{};
};

}  // namespace strata::actors::pageserver
