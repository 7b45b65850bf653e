#pragma once

#include <chrono>
#include <cstdint>

#include "core/ids.hpp"

namespace strata::actors::safekeeper {

/// Whether one timeline alone has WAL made durable, and the disk is fast. Then nobody gains when its next round runs in
/// another thread than the one that has read its WAL.
class lone_timeline {
 public:
  /// So many rounds in a row.
  static constexpr std::uint32_t rounds_min = 8;
  /// A slower round may delay other sockets for longer than two changes of threads take.
  static constexpr std::chrono::microseconds round_max{2000};

  void ran(const core::timeline_id& of, std::chrono::steady_clock::duration took) {
    if (of != last_ || took > round_max) rounds_ = 0;
    last_ = of;
    if (took <= round_max && rounds_ < rounds_min) ++rounds_;
  }
  [[nodiscard]] bool is(const core::timeline_id& which) const { return rounds_ == rounds_min && which == last_; }

 private:
  core::timeline_id last_;
  std::uint32_t rounds_ = 0;
};

}  // namespace strata::actors::safekeeper
