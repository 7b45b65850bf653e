#include "actors/pageserver/maintenance/circuit_breaker.hpp"

#include <algorithm>

namespace strata::actors::pageserver {

std::chrono::milliseconds doubling_pause(int failures, std::chrono::milliseconds first,
                                         std::chrono::milliseconds longest) {
  const int doublings = std::clamp(failures - 1, 0, 30);
  return std::min(longest, first * (std::int64_t{1} << doublings));
}

void circuit_breaker::failed(core::monotonic_time now) {
  ++failures_;
  if (open())
    next_try_ = now + doubling_pause(failures_ - limits_.failures_max + 1, limits_.pause_first, limits_.pause_max);
}

}  // namespace strata::actors::pageserver
