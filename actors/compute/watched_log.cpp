#include "actors/compute/watched_log.hpp"

namespace strata::actors::compute {

void watched_log::look() {
  if (!log_ || !context_.serves() || looking_ || !log_->has_changed()) return;
  looking_ = true;
  jobs_.run(
      "read Postgres's log", [log = log_]() -> core::result<bool> { return log->look(); },
      [this](const core::result<bool>& told) {
        looking_ = false;
        if (!told || !*told) return;
        if (of_standby_) return context_.settings_outgrown();
        cancelled();
      });
}

void watched_log::cancelled() {
  if (!context_.serves()) return;
  context_.wait_cancelled();
  if (!waits_.cancelled(context_.now())) return;
  jobs_.run("ask Postgres for its position", context_.flushed_position, [this](const core::result<core::lsn>& at) {
    if (at) waits_.flushed_to(*at);
  });
}

void watched_log::judge(core::lsn commit) {
  switch (waits_.judge(commit, context_.now())) {
    case cancelled_waits::verdict::none: return;
    case cancelled_waits::verdict::again: return cancelled();
    case cancelled_waits::verdict::overdue: return context_.wait_overdue();
  }
}

}  // namespace strata::actors::compute
