#include "actors/compute/startup_times.hpp"

#include <algorithm>

namespace strata::actors::compute {

using host::agent_state;

namespace {

std::chrono::microseconds since(core::monotonic_time then, core::monotonic_time now) {
  return std::chrono::duration_cast<std::chrono::microseconds>(now - then);
}

}  // namespace

bool startup_times::entered(agent_state state, core::monotonic_time now) {
  const auto before = state_;
  if (before == state) return false;
  // Postgres, or the attempt to start it, has ended: what follows is another one.
  const bool begins = !before || (*before >= agent_state::starting && state < agent_state::starting);
  if (before && *before < agent_state::running) {
    auto& step = took_[static_cast<std::size_t>(*before)];
    step = step.value_or(std::chrono::microseconds(0)) + since(since_, now);
  }
  if (begins) {
    took_ = {};
    total_.reset();
    begun_ = now;
  }
  state_ = state;
  since_ = now;
  if (state != agent_state::running) return false;
  // Those that this incarnation had no need of.
  for (auto& each : took_) each = each.value_or(std::chrono::microseconds(0));
  total_ = since(begun_, now);
  return true;
}

void startup_times::describe(messages::startup_metrics& to, std::chrono::microseconds config) const {
  const auto step = [this](agent_state of) { return took_[static_cast<std::size_t>(of)]; };
  to.sync_safekeepers = step(agent_state::waiting_for_quorum);
  to.pageserver = step(agent_state::waiting_for_pageserver);
  to.basebackup = step(agent_state::restoring);
  to.total = total_;
  if (const auto starting = step(agent_state::starting)) {
    to.config = std::min(config, *starting);
    to.start_postgres = *starting - *to.config;
  }
}

}  // namespace strata::actors::compute
