#include "api/handlers.hpp"
#include "api/route.hpp"
#include "api/safekeeper_handlers.hpp"

namespace strata::api {
namespace {

std::vector<route> make_routes() {
  using namespace safekeeper_handlers;
  const std::vector<query_parameter> none;
#define TIMELINE "/v1/tenant/{tenant_id}/timeline/{timeline_id}"
  return {
      // The process.
      {"GET", "/v1/status", "get_status", "What this safekeeper is", none, "", "SafekeeperStatus", 200, get_status},
      {"GET", "/v1/utilization", "get_utilization", "How full its disk is", none, "", "SafekeeperUtilization", 200,
       get_utilization},
      {"GET", "/v1/debug_dump", "get_debug_dump", "Everything the others say, at once", none, "", "Anything", 200,
       get_debug_dump},
      {"GET", "/metrics", "get_metrics", "Metrics in Prometheus's text format", none, "", "text/plain", 200,
       handlers::get_metrics},
      {"GET", "/livez", "get_livez", "The process answers", none, "", "Health", 200, handlers::get_livez},
      {"GET", "/readyz", "get_readyz", "Requests can be served", none, "", "Health", 200, get_readyz},
      {"GET", "/openapi.json", "get_openapi", "This description", none, "", "Anything", 200, get_openapi},

      // Timelines.
      {"GET", "/v1/tenant/timeline", "list_timelines", "Every timeline of this safekeeper", none, "", "WalTimelineList",
       200, list_timelines},
      {"POST", "/v1/tenant/timeline", "create_timeline",
       "Make a timeline, before a proposer comes; one that is here already is answered as it is", none,
       "CreateWalTimeline", "WalTimeline", 200, create_timeline},
      {"GET", TIMELINE, "get_timeline", "One timeline", none, "", "WalTimeline", 200, get_timeline},
      {"DELETE",
       TIMELINE,
       "delete_timeline",
       "Delete a timeline's WAL here; it is refused from then on",
       {{"everywhere", "Boolean", false,
         "true: nobody keeps the timeline any more, and what is in object storage goes, too"}},
       "",
       "Nothing",
       200,
       delete_timeline},
      {"DELETE", "/v1/tenant/{tenant_id}", "delete_tenant", "Delete all timelines of a tenant here", none, "",
       "Nothing", 200, delete_tenant},
      {"POST", "/v1/pull_timeline", "pull_timeline",
       "Fetch a timeline with its WAL from the best of some safekeepers; answers when all of it is here", none,
       "PullWalTimeline", "WalTimeline", 200, pull_timeline},

      // Consensus.
      {"PUT", TIMELINE "/membership", "switch_members", "Take over a configuration if it is newer", none, "WalMembers",
       "WalTimeline", 200, switch_members},
      {"PUT", TIMELINE "/exclude", "exclude",
       "Tell this safekeeper of a configuration that leaves it out: it takes no more part, and deletes the timeline. "
       "Refused when it is a member in a newer one",
       none, "WalMembers", "Nothing", 200, exclude},
      {"POST", TIMELINE "/term_bump", "bump_term", "No proposer of a lower term gets anything acknowledged here", none,
       "BumpTerm", "WalTimeline", 200, bump_term},
      {"POST", TIMELINE "/checkpoint", "checkpoint", "Save positions and remove WAL that nobody needs, now", none, "",
       "WalTimeline", 200, checkpoint},
      {"GET",
       TIMELINE "/digest",
       "get_digest",
       "CRC-32C of a part of the WAL, to compare safekeepers",
       {{"from_lsn", "Position", true, "where it begins"}, {"until_lsn", "Position", true, "the end, not included"}},
       "",
       "WalDigest",
       200,
       get_digest},
  };
#undef TIMELINE
}

}  // namespace

route_table safekeeper_routes() {
  static const std::vector<route> table = make_routes();
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
      "description": "refused unless this is the safekeeper's: one whose directory was emptied is another"},
    "pg_version": {"type": "integer", "example": 150020}, "system_id": {"type": "integer"},
    "wal_seg_size": {"type": "integer"}, "start_lsn": {"$ref": "#/components/schemas/Position"}}},
  "PullWalTimeline": {"type": "object", "required": ["tenant_id", "timeline_id", "http_hosts"],
    "additionalProperties": false, "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "http_hosts": {"type": "array", "items": {"type": "string"}}}},
  "BumpTerm": {"type": "object", "additionalProperties": false, "properties": {
    "term": {"type": "integer", "maximum": 9223372036854775807,
      "description": "one above the present one when absent"}}},
  "WalDigest": {"type": "object", "required": ["crc32c"], "properties": {"crc32c": {"type": "integer"}}},
  "WalTimeline": {"type": "object", "required": ["tenant_id", "timeline_id", "state", "mconf", "acceptor_state",
      "flush_lsn", "commit_lsn"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "state": {"type": "string", "description": "active, idle, opening, deleting, or broken: why"},
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
    "trouble": {"type": "string"}, "peers": {"type": "array", "items": {"type": "object"}}}},
  "WalTimelineList": {"type": "array", "items": {"$ref": "#/components/schemas/WalTimeline"}}
})json";
}

}  // namespace strata::api
