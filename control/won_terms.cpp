#include "control/won_terms.hpp"

#include <algorithm>

#include "control/agents.hpp"
#include "host/agent_status.hpp"
#include "host/registry.hpp"

namespace strata::control {

using host::agent_state;

namespace {

/// While it waits for a quorum the term is the next one, which it may never win.
bool has_won_term(const host::agent_status& of) {
  return of.term > 0 && of.state >= agent_state::waiting_for_pageserver && of.state <= agent_state::stopping;
}

}  // namespace

std::optional<std::uint64_t> won_terms::later(const core::timeline_id& branch, std::uint64_t term) const {
  if (!newest_) newest_ = read();
  const auto found = newest_->find(branch);
  if (found == newest_->end() || found->second <= term) return std::nullopt;
  return found->second;
}

won_terms::newest won_terms::read() const {
  newest made;
  const host::registry computes(of_.directory);
  const auto names = computes.names();
  if (!names) return made;
  for (const auto& name : *names) {
    const auto agent = agent_of(of_, name);
    if (!agent) continue;
    const auto status = host::load_status(computes.directory_of(name));
    if (!status || status->pid != *agent || !has_won_term(*status)) continue;
    auto& term = made[status->timeline_id];
    term = std::max(term, status->term);
  }
  return made;
}

}  // namespace strata::control
