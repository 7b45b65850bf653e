#pragma once

#include <chrono>
#include <vector>

#include "actors/runtime/metrics.hpp"

namespace strata::actors::runtime {

/// Buckets for operations that take from microseconds in memory to seconds on a busy disk.
inline std::vector<double> latency_buckets() {
  return {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
          0.01,    0.025,    0.05,    0.1,    0.25,    0.5,    1,     2.5,    10};
}

inline double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// The time since its construction, for a histogram.
class stopwatch {
 public:
  [[nodiscard]] double elapsed() const { return seconds(std::chrono::steady_clock::now() - start_); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace strata::actors::runtime
