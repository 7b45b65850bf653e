#include "api/handlers.hpp"
#include "api/route.hpp"
#include "api/safekeeper_handlers.hpp"

namespace strata::api {
namespace {

std::vector<route> make_safekeeper_routes() {
  using namespace safekeeper_handlers;
  const std::vector<query_parameter> none;
#define TIMELINE "/v1/tenant/{tenant_id}/timeline/{timeline_id}"
  return {
      // The process.
      {"GET", "/v1/status", "get_status", "Identity and state of this safekeeper", none, "", "SafekeeperStatus", 200,
       get_status},
      {"GET", "/v1/utilization", "get_utilization", "Disk usage", none, "", "SafekeeperUtilization", 200,
       get_utilization},
      {"GET", "/v1/debug_dump", "get_debug_dump", "The answers of all other GET routes in one document", none, "",
       "Anything", 200, get_debug_dump},
      {"GET", "/metrics", "get_metrics", "Metrics in Prometheus's text format", none, "", "text/plain", 200,
       handlers::get_metrics},
      {"GET", "/livez", "get_livez", "The process answers", none, "", "Health", 200, handlers::get_livez},
      {"GET", "/readyz", "get_readyz", "Requests can be served", none, "", "Health", 200, get_readyz},
      {"GET", "/openapi.json", "get_openapi", "This description", none, "", "Anything", 200, get_openapi},

      // Timelines.
      {"GET", "/v1/tenant/timeline", "list_timelines", "Every timeline of this safekeeper", none, "", "WalTimelineList",
       200, list_timelines},
      {"POST", "/v1/tenant/timeline", "create_timeline", "Create a timeline; one that exists is returned unchanged",
       none, "CreateWalTimeline", "WalTimeline", 200, create_timeline},
      {"GET", TIMELINE, "get_timeline", "One timeline", none, "", "WalTimeline", 200, get_timeline},
      {"DELETE",
       TIMELINE,
       "delete_timeline",
       "Delete a timeline's WAL on this safekeeper; the timeline is refused from then on",
       {{"everywhere", "Boolean", false,
         "true: the timeline is deleted on all safekeepers; its segments in object storage are deleted, too"}},
       "",
       "Nothing",
       200,
       delete_timeline},
      {"DELETE", "/v1/tenant/{tenant_id}", "delete_tenant", "Delete all timelines of a tenant on this safekeeper", none,
       "", "Nothing", 200, delete_tenant},
      {"POST", "/v1/pull_timeline", "pull_timeline",
       "Fetch a timeline with its WAL from the most advanced of the given safekeepers; answers when the copy is "
       "complete",
       none, "PullWalTimeline", "WalTimeline", 200, pull_timeline},

      // Consensus.
      {"PUT", TIMELINE "/membership", "switch_members", "Install a configuration if it is newer", none, "WalMembers",
       "WalTimeline", 200, switch_members},
      {"PUT", TIMELINE "/exclude", "exclude",
       "Install a configuration without this safekeeper: it stops taking part and deletes the timeline. Refused if it "
       "is a member of a newer configuration",
       none, "WalMembers", "Nothing", 200, exclude},
      {"POST", TIMELINE "/term_bump", "bump_term",
       "Raise the term: proposers of lower terms get no more acknowledgements", none, "BumpTerm", "WalTimeline", 200,
       bump_term},
      {"POST", TIMELINE "/checkpoint", "checkpoint", "Save positions and remove WAL that is no longer needed", none, "",
       "WalTimeline", 200, checkpoint},
      {"GET",
       TIMELINE "/digest",
       "get_digest",
       "CRC-32C of a range of WAL, to compare safekeepers",
       {{"from_lsn", "Position", true, "start of the range"},
        {"until_lsn", "Position", true, "end of the range, exclusive"}},
       "",
       "WalDigest",
       200,
       get_digest},
  };
#undef TIMELINE
}

}  // namespace

route_table safekeeper_routes() {
  static const std::vector<route> table = make_safekeeper_routes();
  return table;
}

std::string_view safekeeper_schemas() {
  return R"json({
  "Boolean": {"type": "boolean"},
  "SafekeeperStatus": {"type": "object", "required": ["id", "instance", "version", "pid", "directory",
      "wal_address"], "properties": {
    "id": {"type": "integer"}, "instance": {"$ref": "#/components/schemas/Id"}, "version": {"type": "string"}, "pid": {"type": "integer"},
    "directory": {"type": "string"}, "wal_address": {"type": "string"},
    "time": {"$ref": "#/components/schemas/Time"}}},
  "SafekeeperUtilization": {"type": "object", "required": ["timeline_count", "wal_bytes", "free_bytes",
    "reserve_bytes"], "properties": {
    "timeline_count": {"$ref": "#/components/schemas/Count"}, "wal_bytes": {"$ref": "#/components/schemas/Bytes"},
    "free_bytes": {"$ref": "#/components/schemas/Bytes"},
    "reserve_bytes": {"$ref": "#/components/schemas/Bytes"}}},
  "WalMember": {"type": "object", "required": ["id", "host", "port"], "properties": {
    "id": {"type": "integer", "minimum": 1}, "host": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535}}},
  "WalConfiguration": {"type": "object", "required": ["generation", "members"], "properties": {
    "generation": {"type": "integer"},
    "members": {"type": "array", "items": {"$ref": "#/components/schemas/WalMember"}},
    "new_members": {"type": "array", "nullable": true, "items": {"$ref": "#/components/schemas/WalMember"},
      "description": "while members change"}}},
  "WalMembers": {"type": "object", "required": ["mconf"], "additionalProperties": false, "properties": {
    "mconf": {"$ref": "#/components/schemas/WalConfiguration"}}},
  "CreateWalTimeline": {"type": "object", "required": ["tenant_id", "timeline_id", "mconf"],
    "additionalProperties": false, "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "mconf": {"$ref": "#/components/schemas/WalConfiguration"},
    "instance": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$",
      "description": "refused unless it is the instance of this safekeeper; an emptied directory has a new instance"},
    "pg_version": {"type": "integer", "example": 150020}, "system_id": {"type": "integer"},
    "wal_seg_size": {"type": "integer"}, "start_lsn": {"$ref": "#/components/schemas/Position"}}},
  "PullWalTimeline": {"type": "object", "required": ["tenant_id", "timeline_id", "http_hosts"],
    "additionalProperties": false, "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "http_hosts": {"type": "array", "items": {"type": "string"}}}},
  "BumpTerm": {"type": "object", "additionalProperties": false, "properties": {
    "term": {"type": "integer", "maximum": 9223372036854775807,
      "description": "default: one above the current term"}}},
  "WalDigest": {"type": "object", "required": ["crc32c"], "properties": {"crc32c": {"type": "integer"}}},
  "WalTimeline": {"type": "object", "required": ["tenant_id", "timeline_id", "state", "mconf", "acceptor_state",
      "flush_lsn", "commit_lsn"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "state": {"type": "string", "description": "active, idle, opening, deleting, or broken: REASON"},
    "mconf": {"$ref": "#/components/schemas/WalConfiguration"},
    "acceptor_state": {"type": "object", "properties": {
      "term": {"type": "integer"}, "last_log_term": {"type": "integer"},
      "term_history": {"type": "array", "items": {"type": "object", "properties": {
        "term": {"type": "integer"}, "lsn": {"$ref": "#/components/schemas/Lsn"}}}}}},
    "pg_info": {"type": "object", "properties": {
      "pg_version": {"type": "integer"}, "system_id": {"type": "integer"}, "wal_seg_size": {"type": "integer"}}},
    "timeline_start_lsn": {"$ref": "#/components/schemas/Lsn"}, "local_start_lsn": {"$ref": "#/components/schemas/Lsn"},
    "wal_begin_lsn": {"$ref": "#/components/schemas/Lsn"},
    "write_lsn": {"$ref": "#/components/schemas/Lsn"}, "flush_lsn": {"$ref": "#/components/schemas/Lsn"},
    "commit_lsn": {"$ref": "#/components/schemas/Lsn"}, "backup_lsn": {"$ref": "#/components/schemas/Lsn"},
    "peer_horizon_lsn": {"$ref": "#/components/schemas/Lsn"},
    "remote_consistent_lsn": {"$ref": "#/components/schemas/Lsn"},
    "wal_bytes": {"$ref": "#/components/schemas/Bytes"}, "proposers": {"$ref": "#/components/schemas/Count"},
    "receivers": {"$ref": "#/components/schemas/Count"}, "recovering_from": {"type": "string"},
    "last_error": {"type": "string"}, "peers": {"type": "array", "items": {"type": "object"}}}},
  "WalTimelineList": {"type": "array", "items": {"$ref": "#/components/schemas/WalTimeline"}}
})json";
}

}  // namespace strata::api
