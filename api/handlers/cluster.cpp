#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/cluster_json.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"

namespace strata::api::handlers {
namespace {

/// A source that does not answer must not delay the view of the others for long.
constexpr std::chrono::seconds patience{5};

struct known_branches {
  std::vector<consensus::observed_branch> branches;
  std::vector<consensus::unlisted_source> unlisted;
};

core::result<known_branches> list_branches(const services& of) {
  STRATA_ASSIGN(const auto tenants, ask<messages::tenant_list>(of, of.tenants, messages::list_tenants{}, answer_limit));
  known_branches known;
  for (const auto& tenant : tenants.tenants) {
    if (tenant.state == messages::tenant_state::broken) {
      known.unlisted.push_back({tenant.id, tenant.name, tenant.reason});
      continue;
    }
    if (tenant.state == messages::tenant_state::importing) continue;
    const auto found = ask<messages::timeline_list>(of, of.tenants, messages::list_timelines{tenant.id}, patience);
    if (!found) {
      known.unlisted.push_back({tenant.id, tenant.name, found.error().detail});
      continue;
    }
    for (const auto& each : found->timelines)
      known.branches.push_back({{tenant.id, each.id}, tenant.name + "/" + each.name, each.safekeepers});
  }
  return known;
}

}  // namespace

core::result<reply> get_cluster(const services& of, const request&) {
  STRATA_ASSIGN(auto known, list_branches(of));
  std::vector<consensus::observed_safekeeper> seen;
  if (of.observe_safekeepers) seen = of.observe_safekeepers();
  return json_reply(to_json(consensus::view_cluster(seen, known.branches, std::move(known.unlisted))));
}

}  // namespace strata::api::handlers
