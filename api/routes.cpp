#include <algorithm>

#include "api/handlers.hpp"
#include "api/route.hpp"

namespace strata::api {
namespace {

const std::vector<query_parameter> no_query;

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool is_parameter(std::string_view part) { return part.starts_with('{'); }

std::vector<route> make_routes() {
  using namespace handlers;
#define TIMELINE "/v1/tenant/{tenant_id}/timeline/{timeline_id}"
  return {
      // The process.
      {"GET", "/v1/status", "get_status", "What this server is", no_query, "", "Status", 200, get_status},
      {"GET", "/metrics", "get_metrics", "Metrics in Prometheus's text format", no_query, "", "text/plain", 200,
       get_metrics},
      {"GET", "/livez", "get_livez", "The process answers", no_query, "", "Health", 200, get_livez},
      {"GET", "/readyz", "get_readyz", "Requests can be served", no_query, "", "Health", 200, get_readyz},
      {"GET", "/openapi.json", "get_openapi", "This description", no_query, "", "Anything", 200, get_openapi},
      {"GET", "/v1/actors", "list_actors", "Every living actor", no_query, "", "ActorList", 200, list_actors},
      {"GET", "/v1/pools", "list_pools", "Every worker pool", no_query, "", "PoolList", 200, list_pools},

      // Tenants.
      {"POST", "/v1/source", "add_source",
       "Follow a running Postgres: makes a tenant whose branch main follows it. Answers when the source was reached "
       "and "
       "found fit; the base backup runs on, see the timeline's source",
       no_query, "AddSource", "SourceAdded", 201, add_source},
      {"GET", "/v1/tenant", "list_tenants", "All tenants", no_query, "", "TenantList", 200, list_tenants},
      {"GET", "/v1/tenant/{tenant_id}", "get_tenant", "One tenant", no_query, "", "Tenant", 200, get_tenant},
      {"DELETE", "/v1/tenant/{tenant_id}", "delete_tenant",
       "Remove a tenant with all its timelines. Names the replication slots that stay at their sources", no_query, "",
       "TenantDeleted", 200, delete_tenant},
      {"GET", "/v1/tenant/{tenant_id}/config", "get_tenant_config", "How a tenant keeps its history", no_query, "",
       "TenantConfig", 200, get_tenant_config},
      {"PUT", "/v1/tenant/config", "replace_tenant_config",
       "Set a tenant's options; those not given fall back to defaults", no_query, "ChangeTenantConfig", "TenantConfig",
       200, replace_tenant_config},
      {"PATCH", "/v1/tenant/config", "patch_tenant_config",
       "Set some of a tenant's options; null puts the default back", no_query, "ChangeTenantConfig", "TenantConfig",
       200, patch_tenant_config},

      // Timelines.
      {"GET", "/v1/tenant/{tenant_id}/timeline", "list_timelines", "A tenant's timelines", no_query, "", "TimelineList",
       200, list_timelines},
      {"POST", "/v1/tenant/{tenant_id}/timeline", "create_timeline", "A new branch; durable when answered", no_query,
       "CreateTimeline", "Timeline", 201, create_timeline},
      {"GET", TIMELINE, "get_timeline", "One timeline", no_query, "", "Timeline", 200, get_timeline},
      {"DELETE", TIMELINE, "delete_timeline", "Remove a timeline that has no branches", no_query, "", "Nothing", 200,
       delete_timeline},

      {"POST", TIMELINE "/resume_source", "resume_source",
       "Follow a source again that was refused because it is not the server that was followed. It is compared again",
       no_query, "", "Nothing", 200, resume_source},

      // Who keeps a branch's WAL.
      {"GET", TIMELINE "/safekeepers", "get_safekeepers", "The safekeepers of a branch that is written to", no_query,
       "", "Safekeepers", 200, get_safekeepers},
      {"POST", TIMELINE "/safekeepers", "assign_safekeepers",
       "Give a branch safekeepers, so that it can be written to; if it has some, these are answered. Durable when "
       "answered",
       no_query, "", "Safekeepers", 200, assign_safekeepers},
      {"PUT", TIMELINE "/safekeepers", "change_safekeepers",
       "Store the next configuration of a branch's safekeepers: its generation is one above what there is", no_query,
       "ChangeSafekeepers", "Safekeepers", 200, change_safekeepers},

      // Time and LSN.
      {"GET",
       TIMELINE "/get_lsn_by_timestamp",
       "get_lsn_by_timestamp",
       "The LSN at which the timeline was as at a time",
       {{"timestamp", "Time", true, "ISO 8601; UTC when it has no zone"}},
       "",
       "LsnByTimestamp",
       200,
       get_lsn_by_timestamp},
      {"GET",
       TIMELINE "/get_timestamp_of_lsn",
       "get_timestamp_of_lsn",
       "The time of the last transaction that ended at or before an LSN",
       {{"lsn", "Position", true, "for example 0/3B21F08"}},
       "",
       "Timestamp",
       200,
       get_timestamp_of_lsn},
      {"POST", TIMELINE "/lsn_lease", "lease_lsn", "Keep an LSN readable for a while", no_query, "LeaseLsn", "LsnLease",
       200, lease_lsn},
      {"POST", TIMELINE "/point", "resolve_point",
       "Find a point of the history (an LSN, the state at a time, or without either the head) and keep it readable for "
       "a while. 503 with known_until when the state at that time is not known within wait_ms; 503 when WAL that the "
       "branch's safekeepers may have acknowledged has not arrived at the head",
       no_query, "ResolvePoint", "Point", 200, resolve_point},

      // Upkeep.
      {"PUT", TIMELINE "/checkpoint", "checkpoint", "Write everything to layer files; answers when they are durable",
       no_query, "", "Checkpointed", 200, checkpoint},
      {"PUT", TIMELINE "/compact", "compact", "Compact now", no_query, "", "Compacted", 200, compact},
      {"PUT", TIMELINE "/do_gc", "collect_garbage", "Collect garbage now", no_query, "CollectGarbage",
       "GarbageCollected", 200, collect_garbage},
      {"GET", TIMELINE "/layer", "list_layers", "The timeline's layer files", no_query, "", "LayerMap", 200,
       list_layers},
      {"GET",
       TIMELINE "/keyspace",
       "get_keyspace",
       "The keys of all pages that exist at an LSN, and where values that are no pages are",
       {{"at_lsn", "Position", false, "the last record when absent"}},
       "",
       "Keyspace",
       200,
       get_keyspace},

      // Out of the house.
      {"GET",
       TIMELINE "/export",
       "export_timeline",
       "A plain Postgres data directory as tar. A connection that ends early means that the archive is not complete",
       {{"lsn", "Position", false, "the last record when absent"}},
       "",
       "application/x-tar",
       200,
       export_timeline},
  };
#undef TIMELINE
}

}  // namespace

route_table routes() {
  static const std::vector<route> table = make_routes();
  return table;
}

std::vector<std::string> path_parameter_names(std::string_view path) {
  std::vector<std::string> names;
  for (const std::string_view part : parts_of(path))
    if (is_parameter(part)) names.emplace_back(part.substr(1, part.size() - 2));
  return names;
}

matched_route match_route(route_table in, std::string_view method, std::string_view path) {
  matched_route match;
  if (!path.starts_with('/')) return match;
  const auto given = parts_of(path);
  // A path written out wins over one with a parameter: /v1/tenant/config is no tenant.
  std::size_t fewest = ~std::size_t{0};
  for (const route& candidate : in) {
    const auto wanted = parts_of(candidate.path);
    if (wanted.size() != given.size()) continue;
    std::map<std::string, std::string> parameters;
    bool fits = true;
    for (std::size_t i = 0; fits && i < given.size(); ++i) {
      if (is_parameter(wanted[i]))
        parameters.emplace(wanted[i].substr(1, wanted[i].size() - 2), given[i]);
      else
        fits = wanted[i] == given[i];
    }
    if (!fits || parameters.size() > fewest) continue;
    if (parameters.size() < fewest) match = {};
    fewest = parameters.size();
    match.allowed.push_back(candidate.method);
    if (candidate.method != method) continue;
    match.found = &candidate;
    match.parameters = std::move(parameters);
  }
  return match;
}

}  // namespace strata::api
