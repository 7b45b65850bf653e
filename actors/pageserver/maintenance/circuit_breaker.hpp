#pragma once

#include <chrono>

#include "core/clock.hpp"

namespace strata::actors::pageserver {

/// Says when work that keeps failing may be tried again.
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
  void succeeded() { failures_ = 0; }
  void failed(core::monotonic_time now);

 private:
  limits limits_;
  int failures_ = 0;
  core::monotonic_time next_try_{};
};

/// The pause before try number `failures` + 1: doubling from `first`, at most `longest`.
std::chrono::milliseconds doubling_pause(int failures, std::chrono::milliseconds first,
                                         std::chrono::milliseconds longest);

}  // namespace strata::actors::pageserver
