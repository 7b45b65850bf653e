#pragma once

#include <chrono>
#include <cstdint>

namespace strata::core {

using wall_time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using monotonic_time = std::chrono::steady_clock::time_point;

/// The source of time, so that tests can set it.
class clock {
 public:
  virtual ~clock() = default;
  [[nodiscard]] virtual wall_time now() const = 0;
  [[nodiscard]] virtual monotonic_time monotonic() const = 0;
};

/// The machine's clocks.
const clock& system_clock();

/// A clock that changes only when a test sets it.
class manual_clock final : public clock {
 public:
  [[nodiscard]] wall_time now() const override { return now_; }
  [[nodiscard]] monotonic_time monotonic() const override { return monotonic_; }
  void set(wall_time now) { now_ = now; }
  void advance(std::chrono::microseconds by) {
    now_ += by;
    monotonic_ += by;
  }

 private:
  wall_time now_{};
  monotonic_time monotonic_{};
};

}  // namespace strata::core
