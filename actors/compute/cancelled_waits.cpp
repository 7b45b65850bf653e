#include "actors/compute/cancelled_waits.hpp"

namespace strata::actors::compute {

bool cancelled_waits::cancelled(core::monotonic_time now) {
  if (wait_) {
    wait_->again = true;
    return false;
  }
  wait_ = wait{now + limit_, std::nullopt, false};
  return true;
}

void cancelled_waits::flushed_to(core::lsn position) {
  if (wait_) wait_->at = position;
}

cancelled_waits::verdict cancelled_waits::judge(core::lsn commit, core::monotonic_time now) {
  if (!wait_) return verdict::none;
  if (wait_->at && commit >= *wait_->at) {
    const bool again = wait_->again;
    wait_.reset();
    return again ? verdict::again : verdict::none;
  }
  return now > wait_->until ? verdict::overdue : verdict::none;
}

}  // namespace strata::actors::compute
