#include "actors/compute/standby_progress.hpp"

#include <utility>

namespace strata::actors::compute {

void standby_progress::told_by_feed(feed_status status) {
  feed_ = std::move(status);
  if (feed_.head_at) lag_.head_seen(feed_.head, *feed_.head_at);
  if (feed_.replayed_at) lag_.replayed(feed_.replayed, *feed_.replayed_at);
}

std::string standby_progress::waits() const {
  if (!feed_.upstream.empty()) return "";
  return "its WAL does not arrive" + (feed_.last_error.empty() ? "" : ": " + feed_.last_error);
}

void standby_progress::describe(host::agent_status& to, core::monotonic_time now) const {
  to.standby = {.upstream = feed_.upstream,
                .head_lsn = lag_.head(),
                .received_lsn = feed_.received,
                .replayed_lsn = feed_.replayed,
                .lag_bytes = {},
                .lag = {}};
  const auto lag = lag_.now(now);
  if (!lag || to.state != host::agent_state::running) return;
  to.standby->lag_bytes = lag->bytes;
  to.standby->lag = lag->age;
}

}  // namespace strata::actors::compute
