#pragma once

#include <string>

#include "core/backoff.hpp"
#include "core/clock.hpp"

namespace strata::actors::compute {

/// Which failures of something that is tried again and again are reported: the first, one with another reason, and the
/// others at growing distances.
class failure_reports {
 public:
  static constexpr core::backoff::limits distances{.first = std::chrono::seconds(10),
                                                   .longest = std::chrono::minutes(10)};

  [[nodiscard]] bool is_due(const std::string& reason, core::monotonic_time now);
  void succeeded() { *this = failure_reports(); }

 private:
  std::string reason_;
  core::monotonic_time next_{};
  core::backoff distance_{distances};
};

}  // namespace strata::actors::compute
