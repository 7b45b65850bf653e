#include "actors/compute/failure_reports.hpp"

namespace strata::actors::compute {

bool failure_reports::is_due(const std::string& reason, core::monotonic_time now) {
  const bool is_other = distance_.failures() == 0 || reason != reason_;
  if (!is_other && now < next_) return false;
  if (is_other) distance_.reset();
  reason_ = reason;
  next_ = now + distance_.next();
  return true;
}

}  // namespace strata::actors::compute
