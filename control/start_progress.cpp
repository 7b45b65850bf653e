#include "control/start_progress.hpp"

namespace strata::control {
namespace {

template <class T>
bool raise(T& highest, const T& now) {
  if (!(highest < now)) return false;
  highest = now;
  return true;
}

}  // namespace

void start_progress::look(const std::optional<host::agent_status>& status, core::monotonic_time now) {
  if (!status) return;
  has_reason_ = !status->detail.empty();
  const bool new_state = !furthest_ || *furthest_ < status->state;
  if (new_state) furthest_ = status->state;
  const bool more_bytes = raise(bytes_, status->restored_bytes);
  const bool more_wal = raise(applied_, status->applied_lsn);
  if (new_state || more_bytes || more_wal) advanced_ = now;
}

}  // namespace strata::control
