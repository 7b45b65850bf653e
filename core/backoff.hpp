#pragma once

#include <chrono>

namespace strata::core {

/// How long to wait before the next attempt at something that keeps failing. The waits grow from `first` by
/// `growth_percent` up to `longest`; success resets them.
class backoff {
 public:
  struct limits {
    std::chrono::milliseconds first;
    std::chrono::milliseconds longest;
    int growth_percent = 100;  ///< 100 doubles
  };
  explicit backoff(const limits& of) : limits_(of) {}

  /// Counts a failure; returns the wait before the next attempt.
  std::chrono::milliseconds next();
  void reset() { *this = backoff(limits_); }
  /// Failures since the last reset().
  [[nodiscard]] int failures() const { return failures_; }

 private:
  limits limits_;
  std::chrono::milliseconds last_{};
  int failures_ = 0;
};

}  // namespace strata::core
