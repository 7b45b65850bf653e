#pragma once

#include <ctime>
#include <utility>

namespace strata::bench {

/// Seconds of one clock since it was made. On a machine that others use, the CPU time of the thread says more about a
/// stage than the wall clock.
template <clockid_t Clock>
class stopwatch {
 public:
  [[nodiscard]] double seconds() const { return now() - begin_; }
  /// Seconds since the last lap, and a new one begins.
  double lap() {
    const double at = now();
    return at - std::exchange(begin_, at);
  }

 private:
  static double now() {
    timespec at{};
    ::clock_gettime(Clock, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
  }
  double begin_ = now();
};

using wall_stopwatch = stopwatch<CLOCK_MONOTONIC>;
using cpu_stopwatch = stopwatch<CLOCK_THREAD_CPUTIME_ID>;

}  // namespace strata::bench
