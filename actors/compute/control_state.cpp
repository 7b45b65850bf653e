#include "actors/compute/control_state.hpp"

#include <algorithm>
#include <utility>

namespace strata::actors::compute {

using strata::host::agent_state;

namespace {

compute_state final_state(agent_state of) {
  return of == agent_state::stopped ? compute_state::terminated : compute_state::failed;
}

/// What the agent says of a start that failed (compute_lifecycle.cpp), without what follows from it.
std::string_view reason_in(std::string_view detail) {
  constexpr std::string_view before = "Postgres did not start: ";
  constexpr std::string_view after = "; restarting";
  if (detail.starts_with(before)) detail.remove_prefix(before.size());
  if (detail.ends_with(after)) detail.remove_suffix(after.size());
  return detail;
}

}  // namespace

compute_state state_of(const agent_phase& agent, change_phase change) {
  if (is_final(agent.state)) return final_state(agent.state);
  // It died: what it was doing is over.
  if (agent.gone) return compute_state::failed;
  if (!agent.begun) return compute_state::empty;
  if (agent.ending && is_final(*agent.ending))
    return *agent.ending == agent_state::stopped ? compute_state::termination_pending_immediate : compute_state::failed;
  if (agent.state == agent_state::stopping) return compute_state::termination_pending_fast;
  switch (change) {
    case change_phase::applying:
    case change_phase::restarting:
    case change_phase::reverting:
    case change_phase::storing: return compute_state::configuration;
    case change_phase::checking:
    case change_phase::none: break;
  }
  if (agent.state != agent_state::running || agent.ending) return compute_state::init;
  return change == change_phase::checking ? compute_state::configuration_pending : compute_state::running;
}

std::vector<compute_state> allowed_states(control_request of, bool writes) {
  using enum compute_state;
  switch (of) {
    case control_request::check_writability:
      return writes ? std::vector{configuration_pending, running} : std::vector<compute_state>();
    case control_request::configure: return {running};
    case control_request::end_fast: return {configuration_pending, init, running, configuration};
    case control_request::end_immediate:
      return {configuration_pending, init, running, configuration, termination_pending_fast};
  }
  return {};
}

std::optional<messages::state_refusal> refusal_of(control_request what, compute_state now, bool writes) {
  auto allowed = allowed_states(what, writes);
  if (std::ranges::find(allowed, now) != allowed.end()) return std::nullopt;
  const auto why = [&]() -> std::string {
    if (allowed.empty()) return "the compute does not write its branch";
    if (now == compute_state::configuration_pending || now == compute_state::configuration)
      return "another change of its settings is in progress";
    return "the compute is in state " + std::string(to_string(now));
  }();
  return messages::state_refusal{now, std::move(allowed), why};
}

settings_change::effect settings_change::begin() { return enter(change_phase::checking, effect::check); }

settings_change::effect settings_change::checked(const core::result<void>& how) {
  if (phase_ != change_phase::checking) return effect::none;
  if (!how) return refuse(how.error());
  return enter(change_phase::applying, effect::apply);
}

settings_change::effect settings_change::applied(const core::result<bool>& needs_restart, const agent_phase& agent) {
  if (phase_ != change_phase::applying) return effect::none;
  if (!needs_restart) return refuse(needs_restart.error());
  if (!*needs_restart) return enter(change_phase::storing, effect::adopt);
  incarnations_ = agent.incarnations;
  starts_ = false;
  return enter(change_phase::restarting, effect::restart);
}

settings_change::effect settings_change::stored(const core::result<void>& how) {
  if (phase_ != change_phase::storing) return effect::none;
  phase_ = change_phase::none;
  if (how) return effect::succeed;
  error_ = how.error().within("the settings are in force, but were not stored for the next start of the compute");
  return effect::refuse;
}

settings_change::effect settings_change::reported(const agent_phase& agent, const std::string& detail) {
  const bool waits = phase_ == change_phase::restarting || phase_ == change_phase::reverting;
  if (agent.gone || is_final(agent.state)) {
    if (phase_ == change_phase::none) return effect::none;
    // It was refused before; the compute has ended all the same.
    if (phase_ == change_phase::reverting) return enter(change_phase::none, effect::refuse);
    return refuse({core::errc::unavailable, "the compute has ended" + (detail.empty() ? "" : ": " + detail)});
  }
  if (!waits) return effect::none;
  if (agent.state == agent_state::running && agent.incarnations > incarnations_)
    return phase_ == change_phase::restarting ? enter(change_phase::storing, effect::store)
                                              : enter(change_phase::none, effect::refuse);
  if (phase_ != change_phase::restarting) return effect::none;
  if (agent.state == agent_state::starting) {
    starts_ = true;
    return effect::none;
  }
  // Back from `starting` without having run.
  if (!std::exchange(starts_, false) || agent.state > agent_state::starting) return effect::none;
  error_ = {core::errc::invalid_argument,
            "Postgres did not start with these settings, the earlier ones are used: " + std::string(reason_in(detail))};
  return enter(change_phase::reverting, effect::revert);
}

}  // namespace strata::actors::compute
