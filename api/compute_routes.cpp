#include "api/compute_handlers.hpp"
#include "api/handlers.hpp"
#include "api/route.hpp"

namespace strata::api {
namespace {

std::vector<route> make_compute_routes() {
  using namespace compute_handlers;
  const std::vector<query_parameter> none;
  return {
      {"GET", "/status", "get_status",
       "State of the compute. Its detail and error are those of this moment; last_active is looked up at most every 5 "
       "s",
       none, "", "ComputeStatus", 200, get_status},
      {"GET", "/metrics.json", "get_startup_metrics", "How long the steps of the last start of Postgres took", none, "",
       "StartupMetrics", 200, get_startup_metrics},
      {"GET", "/metrics", "get_metrics", "Metrics in Prometheus's text format", none, "", "text/plain", 200,
       handlers::get_metrics},
      {"GET", "/livez", "get_livez", "The process answers", none, "", "Health", 200, handlers::get_livez},
      {"GET", "/openapi.json", "get_openapi", "This description", none, "", "Anything", 200, get_openapi},
      {.method = "POST",
       .path = "/check_writability",
       .operation = "check_writability",
       .summary = "Commit a message through the quorum of the branch, which leaves nothing behind but WAL. 503 when "
                  "Postgres or the quorum does not answer in time; error.component says which",
       .query = {{"limit_ms", "WritabilityLimit", false, "how long the commit is waited for; default: 5000"}},
       .request_schema = "",
       .response_schema = "Writability",
       .success = 200,
       .handler = check_writability,
       .state_schema = "StateRefusal"},
      {.method = "POST",
       .path = "/configure",
       .operation = "configure",
       .summary = "Replace the lines given by `compute start --set`, now and for later starts. Postgres reads them "
                  "again, or is restarted in the same agent if one of them needs that. After an error the earlier "
                  "ones are in force",
       .query = none,
       .request_schema = "ComputeConfiguration",
       .response_schema = "ComputeConfigured",
       .success = 200,
       .handler = configure,
       .state_schema = "StateRefusal"},
      {.method = "POST",
       .path = "/terminate",
       .operation = "terminate",
       .summary = "End the compute. Answers when it has ended, and the endpoints a few seconds later; "
                  "`compute start` starts it again",
       .query = {{"mode", "TerminationMode", false,
                  "fast (default): everything is acknowledged before; immediate: transactions whose COMMIT has not "
                  "returned may be lost"}},
       .request_schema = "",
       .response_schema = "ComputeTerminated",
       .success = 200,
       .handler = terminate,
       .state_schema = "StateRefusal"},
  };
}

}  // namespace

route_table compute_routes() {
  static const std::vector<route> table = make_compute_routes();
  return table;
}

std::string_view compute_schemas() {
  return R"json({
  "ComputeState": {"type": "string", "enum": ["empty", "configuration_pending", "init", "running", "configuration",
    "failed", "termination_pending_fast", "termination_pending_immediate", "terminated"]},
  "ComputeStatus": {"type": "object", "required": ["status", "error", "detail", "last_active", "start_time", "compute",
      "tenant", "timeline", "branch", "mode", "agent_state", "pg_version", "port", "incarnations", "term", "start_lsn",
      "commit_lsn", "has_quorum", "settings", "pid", "version"], "properties": {
    "status": {"$ref": "#/components/schemas/ComputeState"},
    "error": {"type": "string", "nullable": true, "description": "why it has failed"},
    "detail": {"type": "string", "description": "for people: what it waits for, or why it was restarted"},
    "last_active": {"type": "string", "format": "date-time", "nullable": true,
      "description": "when a session of a client last did something; null: not since start_time. A session that came and went since the last request counts as active at the time of this one"},
    "start_time": {"type": "string", "format": "date-time", "description": "of its agent"},
    "compute": {"$ref": "#/components/schemas/Name"}, "tenant": {"$ref": "#/components/schemas/Id"},
    "timeline": {"$ref": "#/components/schemas/Id"}, "branch": {"type": "string", "example": "shop/dev"},
    "mode": {"type": "string", "enum": ["branch", "read_only", "standby"]},
    "agent_state": {"type": "string", "description": "the step it is at; empty before the first one"},
    "pg_version": {"type": "integer", "example": 15}, "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "incarnations": {"type": "integer", "minimum": 0, "description": "times that Postgres became ready"},
    "term": {"type": "integer", "minimum": 0}, "start_lsn": {"$ref": "#/components/schemas/Lsn"},
    "commit_lsn": {"$ref": "#/components/schemas/Lsn"}, "has_quorum": {"type": "boolean"},
    "settings": {"type": "array", "items": {"type": "string"}},
    "pid": {"type": "integer", "description": "of its agent"}, "version": {"type": "string"}}},
  "StepTime": {"type": "number", "minimum": 0, "nullable": true, "description": "milliseconds; null: not over yet"},
  "StartupMetrics": {"type": "object", "required": ["sync_safekeepers_ms", "pageserver_ms", "basebackup_ms",
      "config_ms", "start_postgres_ms", "total_startup_ms", "basebackup_bytes", "pages_fetched", "page_bytes_fetched",
      "incarnations"], "properties": {
    "sync_safekeepers_ms": {"$ref": "#/components/schemas/StepTime"},
    "pageserver_ms": {"$ref": "#/components/schemas/StepTime"},
    "basebackup_ms": {"$ref": "#/components/schemas/StepTime"},
    "config_ms": {"$ref": "#/components/schemas/StepTime"},
    "start_postgres_ms": {"$ref": "#/components/schemas/StepTime"},
    "total_startup_ms": {"$ref": "#/components/schemas/StepTime"},
    "basebackup_bytes": {"$ref": "#/components/schemas/Bytes"},
    "pages_fetched": {"$ref": "#/components/schemas/Count"},
    "page_bytes_fetched": {"$ref": "#/components/schemas/Bytes"},
    "incarnations": {"$ref": "#/components/schemas/Count"}}},
  "WritabilityLimit": {"type": "integer", "minimum": 100, "maximum": 30000},
  "Writability": {"type": "object", "required": ["durable_lsn"], "properties": {
    "durable_lsn": {"$ref": "#/components/schemas/Lsn"}}},
  "TerminationMode": {"type": "string", "enum": ["fast", "immediate"]},
  "ComputeTerminated": {"type": "object", "required": ["durable_lsn"], "properties": {
    "durable_lsn": {"allOf": [{"$ref": "#/components/schemas/Lsn"}],
      "description": "the branch has everything before this; of a compute that does not write, what it showed"}}},
  "ComputeConfiguration": {"type": "object", "required": ["settings"], "additionalProperties": false, "properties": {
    "settings": {"type": "array", "maxItems": 1000, "items": {"type": "string", "minLength": 1, "maxLength": 16384},
      "description": "lines for postgresql.conf, NAME = VALUE"}}},
  "ComputeConfigured": {"type": "object", "required": ["restarted", "needed_restart", "overridden"], "properties": {
    "restarted": {"type": "boolean", "description": "Postgres was restarted"},
    "needed_restart": {"type": "array", "items": {"type": "string"}, "description": "because of these"},
    "overridden": {"type": "array", "items": {"$ref": "#/components/schemas/OverriddenSetting"}}}},
  "OverriddenSetting": {"type": "object", "required": ["setting", "by"], "properties": {
    "setting": {"type": "string"}, "by": {"type": "string", "example": "fsync=off"}}},
  "StateRefusal": {"type": "object", "required": ["error", "msg"], "properties": {
    "msg": {"type": "string", "description": "the same as error.message"},
    "error": {"type": "object", "required": ["code", "message", "next", "state", "allowed_states"], "properties": {
      "code": {"type": "string"}, "message": {"type": "string"}, "next": {"type": "string"},
      "state": {"$ref": "#/components/schemas/ComputeState"},
      "allowed_states": {"type": "array", "items": {"$ref": "#/components/schemas/ComputeState"}}}}}}
})json";
}

}  // namespace strata::api
