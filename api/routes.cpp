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
      {"GET", "/v1/status", "get_status", "Identity and state of this server", no_query, "", "Status", 200, get_status},
      {"GET", "/metrics", "get_metrics", "Metrics in Prometheus's text format", no_query, "", "text/plain", 200,
       get_metrics},
      {"GET", "/livez", "get_livez", "The process answers", no_query, "", "Health", 200, get_livez},
      {"GET", "/readyz", "get_readyz", "Requests can be served", no_query, "", "Health", 200, get_readyz},
      {"GET", "/openapi.json", "get_openapi", "This description", no_query, "", "Anything", 200, get_openapi},
      {"GET", "/v1/actors", "list_actors", "All actors", no_query, "", "ActorList", 200, list_actors},
      {"GET", "/v1/pools", "list_pools", "All worker pools", no_query, "", "PoolList", 200, list_pools},

      // Tenants.
      {"POST", "/v1/source", "add_source",
       "Follow a running Postgres: creates a tenant whose branch main follows it. Answers when the source was reached "
       "and meets the requirements; the base backup continues, see the timeline's source",
       no_query, "AddSource", "SourceAdded", 201, add_source},
      {"POST", "/v1/tenant", "create_tenant",
       "Create a tenant that follows no source: its branch main has the data of a Postgres that is shut down. Answers "
       "when the data are imported and durable; after an error nothing is left",
       no_query, "CreateTenant", "TenantCreated", 201, create_tenant},
      {"GET", "/v1/tenant", "list_tenants", "All tenants", no_query, "", "TenantList", 200, list_tenants},
      {"GET", "/v1/tenant/{tenant_id}", "get_tenant", "One tenant", no_query, "", "Tenant", 200, get_tenant},
      {"DELETE", "/v1/tenant/{tenant_id}", "delete_tenant",
       "Delete a tenant with all its timelines. Lists the replication slots that were kept at their sources", no_query,
       "", "TenantDeleted", 200, delete_tenant},
      {"GET", "/v1/tenant/{tenant_id}/config", "get_tenant_config", "Retention and storage options of a tenant",
       no_query, "", "TenantConfig", 200, get_tenant_config},
      {"PUT", "/v1/tenant/config", "replace_tenant_config",
       "Set a tenant's options; options that are absent are reset to their defaults", no_query, "ChangeTenantConfig",
       "TenantConfig", 200, replace_tenant_config},
      {"PATCH", "/v1/tenant/config", "patch_tenant_config",
       "Set some of a tenant's options; null resets an option to its default", no_query, "ChangeTenantConfig",
       "TenantConfig", 200, patch_tenant_config},

      // Timelines.
      {"GET", "/v1/tenant/{tenant_id}/timeline", "list_timelines", "A tenant's timelines", no_query, "", "TimelineList",
       200, list_timelines},
      {"POST", "/v1/tenant/{tenant_id}/timeline", "create_timeline", "Create a branch; durable when answered", no_query,
       "CreateTimeline", "Timeline", 201, create_timeline},
      {"GET", TIMELINE, "get_timeline", "One timeline", no_query, "", "Timeline", 200, get_timeline},
      {"PATCH", TIMELINE, "change_timeline",
       "Change a branch's protection from deletion, its expiry or its wal_level; what is absent stays. Durable when "
       "answered",
       no_query, "ChangeTimeline", "Timeline", 200, change_timeline},
      {"DELETE",
       TIMELINE,
       "delete_timeline",
       "Delete a timeline that has no child branches and is not protected",
       {{"name", "Name", false, "refused (409) if the branch has another name now"}},
       "",
       "Nothing",
       200,
       delete_timeline},
      {"POST", TIMELINE "/reset", "reset_timeline",
       "Put a new branch at a point of the parent in the place of a branch: it gets the name, and another id. The old "
       "one is deleted, or kept under another name. All or nothing; durable when answered",
       no_query, "ResetTimeline", "Timeline", 201, reset_timeline},

      {"POST", TIMELINE "/resume_source", "resume_source",
       "Resume a source that was refused because it is not the same server. The server is compared again", no_query, "",
       "Nothing", 200, resume_source},

      {"POST", TIMELINE "/promote_source", "promote_source",
       "End the following of a source: the timeline becomes writable through safekeepers. Durable when answered. 503 "
       "when the source does not answer, 504 when WAL of it is still missing after 10 s; then nothing has changed",
       no_query, "PromoteSource", "SourcePromoted", 200, promote_source},

      // Who keeps a branch's WAL.
      {"GET", "/v1/cluster", "get_cluster",
       "The safekeepers and their state, the quorum of each writable branch, and how many failures it tolerates. The "
       "safekeepers are asked for each answer; one that does not answer counts as a failure",
       no_query, "", "Cluster", 200, get_cluster},
      {"GET", TIMELINE "/safekeepers", "get_safekeepers", "The safekeepers of a writable branch", no_query, "",
       "Safekeepers", 200, get_safekeepers},
      {"POST", TIMELINE "/safekeepers", "assign_safekeepers",
       "Assign safekeepers to a branch, which makes it writable; safekeepers that it already has are returned. Durable "
       "when answered",
       no_query, "", "Safekeepers", 200, assign_safekeepers},
      {"PUT", TIMELINE "/safekeepers", "change_safekeepers",
       "Store the next configuration of a branch's safekeepers; its generation must be one above the current one",
       no_query, "ChangeSafekeepers", "Safekeepers", 200, change_safekeepers},

      // Time and LSN.
      {"GET",
       TIMELINE "/get_lsn_by_timestamp",
       "get_lsn_by_timestamp",
       "The LSN that corresponds to a time",
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
      {"GET", TIMELINE "/standby_start", "get_standby_start",
       "Where a hot standby that is started now begins to replay WAL. 503 while no such position is known", no_query,
       "", "StandbyStart", 200, get_standby_start},
      {"POST", TIMELINE "/source_connection", "show_source_connection",
       "The connection string of the source as it was given, password included, for a standby that follows it. 403 "
       "without the key in server.json, which only the server's user can read",
       no_query, "ShowSourceConnection", "SourceConnection", 200, show_source_connection},
      {"POST", TIMELINE "/lsn_lease", "lease_lsn", "Lease an LSN: it stays readable for a while", no_query, "LeaseLsn",
       "LsnLease", 200, lease_lsn},
      {"POST", TIMELINE "/point", "resolve_point",
       "Resolve a point of the history (an LSN, a time, or without either the head) and lease it. 503 with known_until "
       "if the state at that time is not known within wait_ms; 503 if WAL that the branch's safekeepers may have "
       "acknowledged has not arrived",
       no_query, "ResolvePoint", "Point", 200, resolve_point},

      // What is not in the WAL.
      {"GET",
       TIMELINE "/side_files",
       "get_side_files",
       "The settings, statistics and prewarm list of a branch's computes, as of an LSN, for the agent of a compute. "
       "With the term of a writer, writers of earlier terms are refused from now on",
       {{"lsn", "Position", false, "default: the newest ones"}, {"term", "Count", false, "of the writer that asks"}},
       "",
       "SideFiles",
       200,
       get_side_files},
      {"PUT", TIMELINE "/side_files", "put_side_files",
       "Store versions of side files, all or none, for the agent of a compute that writes the branch; durable when "
       "answered. 409 when a later writer has taken over",
       no_query, "PutSideFiles", "Nothing", 200, put_side_files},

      // Maintenance.
      {"PUT", TIMELINE "/checkpoint", "checkpoint", "Flush all changes to layer files; answers when they are durable",
       no_query, "", "Checkpointed", 200, checkpoint},
      {"PUT", TIMELINE "/compact", "compact", "Run a compaction", no_query, "", "Compacted", 200, compact},
      {"PUT", TIMELINE "/do_gc", "collect_garbage", "Run a garbage collection", no_query, "CollectGarbage",
       "GarbageCollected", 200, collect_garbage},
      {"GET", TIMELINE "/layer", "list_layers", "The timeline's layer files", no_query, "", "LayerMap", 200,
       list_layers},
      {"GET",
       TIMELINE "/keyspace",
       "get_keyspace",
       "The key ranges of all pages that exist at an LSN, and those of other values",
       {{"at_lsn", "Position", false, "default: the last record"}},
       "",
       "Keyspace",
       200,
       get_keyspace},

      // Export.
      {"GET",
       TIMELINE "/export",
       "export_timeline",
       "A plain Postgres data directory as a tar archive. If the connection ends early, the archive is incomplete",
       {{"lsn", "Position", false, "default: the last record"},
        {"relations", "ExportedRelations", false,
         "contained (default), or listed: most relation files are entries of relation_manifest, for a data directory "
         "that reads its pages from the page service"},
        {"standby_of", "Position", false,
         "instead of lsn: the directory of a hot standby, as of the LSN that standby_start gave with this position"}},
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
