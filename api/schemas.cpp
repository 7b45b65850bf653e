#include "api/route.hpp"

namespace strata::api {

std::string_view schemas() {
  return R"json({
  "Id": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$", "description": "32 hex digits"},
  "Lsn": {"type": "string", "pattern": "^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$", "example": "0/3B21F08"},
  "ExportedRelations": {"type": "string", "enum": ["contained", "listed"]},
  "Position": {"type": "string", "pattern": "^(?!0{1,8}/0{1,8}$)[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$",
    "example": "0/3B21F08", "description": "an LSN, not 0/0"},
  "Name": {"type": "string", "pattern": "^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$", "example": "dev"},
  "Time": {"type": "string", "format": "date-time"},
  "Bytes": {"type": "integer", "format": "int64", "minimum": 0},
  "Count": {"type": "integer", "format": "int64", "minimum": 0},
  "Nothing": {"type": "object", "additionalProperties": false},
  "Anything": {"type": "object"},

  "Error": {"type": "object", "required": ["error", "msg"], "properties": {
    "msg": {"type": "string", "description": "the same as error.message"},
    "error": {"type": "object", "required": ["code", "message", "next"], "properties": {
      "code": {"type": "string", "description": "error code, stable between versions"},
      "message": {"type": "string"},
      "next": {"type": "string", "description": "suggested next step"},
      "component": {"type": "string", "enum": ["postgres", "quorum"], "description": "of check_writability: which does not answer"},
      "known_until": {"allOf": [{"$ref": "#/components/schemas/Time"}],
        "description": "if the state at a time is not known: all transactions committed up to this time are included"}}}}},

  "Health": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}},
  "Status": {"type": "object", "required": ["version", "pid", "directory", "page_port", "state"], "properties": {
    "version": {"type": "string"}, "pid": {"type": "integer"}, "directory": {"type": "string"},
    "page_port": {"type": "integer"}, "pg_bin": {"type": "string"}, "state": {"type": "string"},
    "time": {"$ref": "#/components/schemas/Time"},
    "pending_operations": {"type": "array", "items": {"$ref": "#/components/schemas/PendingOperation"},
      "description": "operations that are pending on safekeepers; retried every second"}}},
  "PendingOperation": {"type": "object", "required": ["what", "safekeeper", "tenant_id", "timeline_id", "age_ms",
      "last_error"], "properties": {
    "what": {"type": "string", "enum": ["create", "delete"], "description": "the WAL timeline of a branch"},
    "safekeeper": {"type": "integer", "minimum": 1}, "tenant_id": {"$ref": "#/components/schemas/Id"},
    "timeline_id": {"$ref": "#/components/schemas/Id"}, "age_ms": {"$ref": "#/components/schemas/Count"},
    "last_error": {"type": "string", "description": "error of the last attempt"}}},

  "Actor": {"type": "object", "required": ["id", "kind", "name", "parent", "pool", "state", "age_us", "handled",
      "mailbox", "busy_us", "longest_us", "last_error"], "properties": {
    "id": {"type": "integer"}, "kind": {"type": "string"}, "name": {"type": "string"}, "parent": {"type": "integer"},
    "pool": {"type": "string"}, "state": {"type": "string"}, "age_us": {"type": "integer"},
    "handled": {"type": "integer"}, "mailbox": {"type": "integer"}, "busy_us": {"type": "integer"},
    "longest_us": {"type": "integer"}, "last_error": {"type": "string"}}},
  "ActorList": {"type": "object", "required": ["actors"], "properties": {
    "actors": {"type": "array", "items": {"$ref": "#/components/schemas/Actor"}}}},
  "Pool": {"type": "object", "required": ["name", "threads", "queued", "busy_us"], "properties": {
    "name": {"type": "string"}, "threads": {"type": "integer"}, "queued": {"type": "integer"},
    "busy_us": {"type": "integer"}}},
  "PoolList": {"type": "object", "required": ["pools"], "properties": {
    "pools": {"type": "array", "items": {"$ref": "#/components/schemas/Pool"}}}},

  "AddSource": {"type": "object", "required": ["name", "conninfo"], "additionalProperties": false, "properties": {
    "name": {"$ref": "#/components/schemas/Name"},
    "conninfo": {"type": "string", "minLength": 1, "description": "libpq connection string or postgresql:// URI"},
    "slot": {"type": "string", "pattern": "^[a-z0-9_]{1,63}$", "description": "replication slot; default: strata_<name>"}}},
  "SourceAdded": {"type": "object", "required": ["tenant_id", "timeline_id", "name"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "name": {"type": "string"},
    "settings": {"type": "array", "description": "settings of the source that affect query results and that computes do not inherit",
      "items": {"type": "object", "required": ["name", "value"], "properties": {
        "name": {"type": "string"}, "value": {"type": "string"}}}}}},

  "CreateTenant": {"type": "object", "required": ["name", "path"], "additionalProperties": false, "properties": {
    "name": {"$ref": "#/components/schemas/Name"},
    "path": {"type": "string", "pattern": "^/", "description": "on the server's machine: the data directory of a Postgres that is shut down, or a tar archive of one, plain or gzip"},
    "system_id": {"type": "string", "enum": ["keep", "new"], "description": "system identifier: that of the files, which is the default, or a random one"}}},
  "TenantCreated": {"type": "object", "required": ["tenant_id", "timeline_id", "name", "pg_version", "bytes"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "name": {"type": "string"}, "pg_version": {"type": "integer"}, "bytes": {"$ref": "#/components/schemas/Bytes"}}},
  "SlotsLeft": {"type": "array", "items": {"type": "object", "required": ["source", "slot", "error", "remembered"], "properties": {
    "source": {"type": "string", "description": "connection string without its password"},
    "slot": {"type": "string"},
    "error": {"type": "string", "description": "why the slot was not dropped; empty: the user chose its name"},
    "remembered": {"type": "boolean", "description": "true: the slot is dropped when the source is reachable"}}}},
  "TenantDeleted": {"type": "object", "required": ["slots_left"], "properties": {
    "slots_left": {"$ref": "#/components/schemas/SlotsLeft"}}},
  "PromoteSource": {"type": "object", "additionalProperties": false, "properties": {
    "force": {"type": "boolean", "description": "also without WAL that has not arrived"}}},
  "SourcePromoted": {"type": "object", "required": ["lsn", "left_at_source", "slots_left"], "properties": {
    "lsn": {"allOf": [{"$ref": "#/components/schemas/Lsn"}], "description": "the WAL on safekeepers begins here"},
    "left_at_source": {"type": "string", "description": "WAL that did not arrive, in words; empty: none"},
    "slots_left": {"$ref": "#/components/schemas/SlotsLeft"}}},
  "Tenant": {"type": "object", "required": ["id", "name", "state", "attachment_status", "generation", "timeline_count",
      "current_physical_size"], "properties": {
    "id": {"$ref": "#/components/schemas/Id"}, "name": {"type": "string"},
    "state": {"type": "object", "required": ["slug"], "properties": {"slug": {"type": "string"},
      "data": {"type": "object", "properties": {"reason": {"type": "string"}}}}},
    "attachment_status": {"type": "object", "required": ["slug"], "properties": {
      "slug": {"type": "string", "enum": ["attached", "maybe", "failed"]},
      "data": {"type": "object", "properties": {"reason": {"type": "string"}}}}},
    "generation": {"type": "integer"}, "timeline_count": {"$ref": "#/components/schemas/Count"},
    "timelines": {"type": "array", "items": {"$ref": "#/components/schemas/Id"}, "description": "only in the answer for one tenant"},
    "expired_branches": {"type": "array", "description": "the last ones, the newest at the end",
      "items": {"type": "object", "required": ["name", "expired_at"], "properties": {"name": {"type": "string"},
        "expired_at": {"$ref": "#/components/schemas/Time"}}}},
    "current_physical_size": {"$ref": "#/components/schemas/Bytes"}}},
  "TenantList": {"type": "array", "items": {"$ref": "#/components/schemas/Tenant"}},
  "TenantOptions": {"type": "object", "additionalProperties": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    "description": "durations as text (\"10m\") or milliseconds, sizes as text (\"64 MiB\") or bytes"},
  "TenantConfig": {"type": "object", "required": ["tenant_specific_overrides", "effective_config"], "properties": {
    "tenant_specific_overrides": {"$ref": "#/components/schemas/TenantOptions"},
    "effective_config": {"$ref": "#/components/schemas/TenantOptions"}}},
  "ChangeTenantConfig": {"type": "object", "required": ["tenant_id"], "additionalProperties": false, "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}},
    "description": "null resets an option to its default"},

  "SourceStatus": {"type": "object", "required": ["phase", "conninfo", "slot", "received_lsn", "source_head_lsn",
      "backup_bytes", "backup_bytes_expected", "last_error", "reconnects"], "properties": {
    "phase": {"type": "string", "enum": ["connecting", "backing_up", "catching_up", "streaming", "waiting_to_retry",
      "failed"]},
    "conninfo": {"type": "string", "description": "connection string, without its password"}, "slot": {"type": "string"},
    "user": {"type": "string", "description": "role that follows the source; empty until the first connection"},
    "database": {"type": "string", "description": "database of the connection string; empty: none"},
    "received_lsn": {"$ref": "#/components/schemas/Lsn"}, "source_head_lsn": {"$ref": "#/components/schemas/Lsn"},
    "backup_bytes": {"$ref": "#/components/schemas/Bytes"},
    "backup_bytes_expected": {"$ref": "#/components/schemas/Bytes"},
    "last_error": {"type": "string"}, "reconnects": {"$ref": "#/components/schemas/Count"},
    "lag_bytes": {"allOf": [{"$ref": "#/components/schemas/Bytes"}],
      "description": "WAL that was not received yet; absent if unknown"},
    "last_message_ms": {"allOf": [{"$ref": "#/components/schemas/Count"}],
      "description": "time since the source last reported the end of its WAL"},
    "clock_ahead_ms": {"type": "integer", "description": "the source's clock minus this server's"}}},
  "ReceiverStatus": {"type": "object", "required": ["phase", "from", "received_lsn", "head_lsn", "last_error",
      "reconnects"], "properties": {
    "phase": {"type": "string", "enum": ["connecting", "catching_up", "streaming", "waiting_to_retry", "failed",
      "idle"], "description": "idle: there was no more WAL"},
    "from": {"type": "string", "description": "safekeeper that sends the WAL"},
    "received_lsn": {"$ref": "#/components/schemas/Lsn"}, "head_lsn": {"$ref": "#/components/schemas/Lsn"},
    "last_error": {"type": "string"}, "reconnects": {"$ref": "#/components/schemas/Count"}}},
  "Safekeeper": {"type": "object", "required": ["id", "host", "port"], "properties": {
    "id": {"type": "integer", "minimum": 1}, "host": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535}}},
  "SafekeeperList": {"type": "array", "minItems": 1, "maxItems": 32,
    "items": {"$ref": "#/components/schemas/Safekeeper"}},
  "SafekeeperSet": {"type": "object", "required": ["generation", "members", "new_members"], "properties": {
    "generation": {"type": "integer", "minimum": 1}, "members": {"$ref": "#/components/schemas/SafekeeperList"},
    "new_members": {"type": "array", "nullable": true, "minItems": 1, "maxItems": 32,
      "items": {"$ref": "#/components/schemas/Safekeeper"},
      "description": "members after the change in progress; null: no change"}}},
  "Safekeepers": {"allOf": [{"$ref": "#/components/schemas/SafekeeperSet"},
    {"type": "object", "required": ["tenant_id", "timeline_id", "former_members", "start_lsn", "pg_version", "system_id",
      "wal_segment_size"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "former_members": {"type": "array", "items": {"type": "integer", "minimum": 1},
      "description": "safekeepers that were members once and are not now; such a safekeeper may still have a copy"},
    "start_lsn": {"$ref": "#/components/schemas/Lsn"}, "pg_version": {"type": "integer"},
    "system_id": {"type": "integer", "format": "int64"}, "wal_segment_size": {"type": "integer"}}}]},
  "ClusterSafekeeper": {"type": "object", "required": ["id", "state", "last_error", "unreachable", "pid", "wal", "http"],
    "properties": {
    "id": {"type": "integer", "minimum": 1},
    "state": {"type": "string", "enum": ["up", "starting", "down", "unreachable"],
      "description": "down: no process; unreachable: its process does not answer. Only up counts as good"},
    "since": {"allOf": [{"$ref": "#/components/schemas/Time"}],
      "description": "the first time at which this state of this process was found, and no other one since; absent: unknown"},
    "last_answer": {"allOf": [{"$ref": "#/components/schemas/Time"}],
      "description": "absent: none since the observer started"},
    "last_error": {"type": "string", "description": "why it is not up"},
    "unreachable": {"type": "object", "additionalProperties": {"type": "string"},
      "description": "addresses of configurations at which it is not reached, with the reason"},
    "pid": {"type": "integer", "description": "0: no process"}, "wal": {"type": "string"}, "http": {"type": "string"},
    "disk_full": {"type": "boolean", "description": "takes no WAL; absent: unknown"},
    "timelines": {"allOf": [{"$ref": "#/components/schemas/Count"}], "description": "absent: unknown"}}},
  "QuorumMember": {"type": "object", "required": ["id", "state"], "properties": {
    "id": {"type": "integer", "minimum": 1},
    "state": {"type": "string", "description": "of its copy: active, idle, missing, ...; or of the safekeeper, if it is not up"},
    "term": {"$ref": "#/components/schemas/Count"}, "flush_lsn": {"$ref": "#/components/schemas/Lsn"},
    "commit_lsn": {"$ref": "#/components/schemas/Lsn"}, "backup_lsn": {"$ref": "#/components/schemas/Lsn"},
    "lag_bytes": {"allOf": [{"$ref": "#/components/schemas/Bytes"}],
      "description": "behind the member with the most durable WAL. Positions are absent while they are unknown"}}},
  "Quorum": {"type": "object", "required": ["tenant_id", "timeline_id", "branch", "mconf", "can_lose", "health", "lacking",
      "safekeepers"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "branch": {"type": "string", "description": "SOURCE/BRANCH; the ids, if this server does not list it"},
    "mconf": {"$ref": "#/components/schemas/SafekeeperSet"},
    "can_lose": {"type": "integer", "minimum": -1, "description": "failures that it tolerates; -1: commits wait now"},
    "health": {"type": "string", "example": "tolerates no failure: safekeeper 2 is down"},
    "lacking": {"type": "array", "items": {"type": "integer"}, "description": "members that are up without the timeline"},
    "safekeepers": {"type": "array", "items": {"$ref": "#/components/schemas/QuorumMember"}}}},
  "Cluster": {"type": "object", "required": ["safekeepers", "timelines", "unlisted", "can_lose", "health"], "properties": {
    "safekeepers": {"type": "array", "items": {"$ref": "#/components/schemas/ClusterSafekeeper"}},
    "timelines": {"type": "array", "items": {"$ref": "#/components/schemas/Quorum"}},
    "unlisted": {"type": "array", "description": "sources whose branches are unknown",
      "items": {"type": "object", "required": ["tenant_id", "name", "error"], "properties": {
        "tenant_id": {"$ref": "#/components/schemas/Id"}, "name": {"type": "string"}, "error": {"type": "string"}}}},
    "can_lose": {"type": "integer", "minimum": -1, "description": "failures that every timeline tolerates: the smallest can_lose of the timelines; without timelines, that of all safekeepers as one quorum. -1: commits wait now, or there are no safekeepers"},
    "health": {"type": "string"}}},
  "ChangeSafekeepers": {"type": "object", "required": ["generation", "members"], "additionalProperties": false,
    "properties": {
    "generation": {"type": "integer", "minimum": 1}, "members": {"$ref": "#/components/schemas/SafekeeperList"},
    "new_members": {"type": "array", "nullable": true, "minItems": 1, "maxItems": 32,
      "items": {"$ref": "#/components/schemas/Safekeeper"},
      "description": "members after the change in progress; null or absent: no change"}}},
  "CustomResourceManager": {"type": "object", "required": ["id", "since_lsn"], "properties": {
    "id": {"type": "integer", "minimum": 128, "maximum": 255}, "since_lsn": {"$ref": "#/components/schemas/Lsn"}}},
  "Timeline": {"type": "object", "required": ["tenant_id", "timeline_id", "name", "state", "last_record_lsn",
      "prev_record_lsn", "disk_consistent_lsn", "readable_from_lsn", "latest_gc_cutoff_lsn", "pg_version",
      "current_physical_size", "layer_count", "l0_layer_count", "memory_size", "created_at"], "properties": {
    "tenant_id": {"$ref": "#/components/schemas/Id"}, "timeline_id": {"$ref": "#/components/schemas/Id"},
    "name": {"type": "string"},
    "state": {"oneOf": [{"type": "string"}, {"type": "object"}],
      "description": "Importing, Active, Stopping, or {\"Broken\": {\"reason\": reason}}"},
    "ancestor_timeline_id": {"$ref": "#/components/schemas/Id"}, "ancestor_lsn": {"$ref": "#/components/schemas/Lsn"},
    "last_record_lsn": {"$ref": "#/components/schemas/Lsn"}, "prev_record_lsn": {"$ref": "#/components/schemas/Lsn"},
    "disk_consistent_lsn": {"$ref": "#/components/schemas/Lsn"},
    "readable_from_lsn": {"$ref": "#/components/schemas/Lsn"}, "last_error": {"type": "string"},
    "latest_gc_cutoff_lsn": {"$ref": "#/components/schemas/Lsn"}, "pg_version": {"type": "integer"},
    "current_physical_size": {"$ref": "#/components/schemas/Bytes"},
    "remote_consistent_lsn": {"$ref": "#/components/schemas/Lsn"},
    "remote_consistent_lsn_visible": {"$ref": "#/components/schemas/Lsn"},
    "walreceiver_status": {"type": "string"}, "initdb_lsn": {"$ref": "#/components/schemas/Lsn"},
    "current_logical_size": {"$ref": "#/components/schemas/Bytes"},
    "current_logical_size_is_accurate": {"type": "boolean"},
    "directory_entries_counts": {"type": "array", "items": {"$ref": "#/components/schemas/Count"},
      "description": "databases, prepared transactions, forks of relations, 0, then segments of clog, multixact members, multixact offsets"},
    "pitr_history_size": {"$ref": "#/components/schemas/Bytes"}, "within_ancestor_pitr": {"type": "boolean"},
    "layer_count": {"$ref": "#/components/schemas/Count"}, "l0_layer_count": {"$ref": "#/components/schemas/Count"},
    "memory_size": {"$ref": "#/components/schemas/Bytes"}, "created_at": {"$ref": "#/components/schemas/Time"},
    "last_commit_at": {"$ref": "#/components/schemas/Time"},
    "known_until": {"allOf": [{"$ref": "#/components/schemas/Time"}],
      "description": "all transactions committed up to this time are included; absent: unknown"},
    "follows": {"type": "string", "enum": ["source", "safekeepers", "nowhere"],
      "description": "where its WAL comes from; nowhere: nothing writes to it"},
    "source": {"$ref": "#/components/schemas/SourceStatus"},
    "safekeepers": {"$ref": "#/components/schemas/SafekeeperSet"},
    "receiver": {"$ref": "#/components/schemas/ReceiverStatus"},
    "wal_gap": {"type": "object", "required": ["from_lsn", "to_lsn"], "properties": {
      "from_lsn": {"$ref": "#/components/schemas/Lsn"}, "to_lsn": {"$ref": "#/components/schemas/Lsn"}},
      "description": "WAL that is missing here and on all safekeepers; last_error names the next step; to_lsn 0/0: unknown"},
    "custom_resource_managers": {"type": "array", "items": {"$ref": "#/components/schemas/CustomResourceManager"},
      "description": "resource managers of extensions; pages changed by their records can't be read from these LSNs on; absent: none"},
    "deletion_protected": {"type": "boolean"}, "wal_level": {"$ref": "#/components/schemas/WalLevel"},
    "expires_at": {"allOf": [{"$ref": "#/components/schemas/Time"}],
      "description": "from then on the branch is deleted, as soon as it has no child branches; absent: never"}}},
  "TimelineList": {"type": "array", "items": {"$ref": "#/components/schemas/Timeline"}},
  "CreateTimeline": {"type": "object", "required": ["ancestor_timeline_id"], "additionalProperties": false,
    "properties": {
    "new_timeline_id": {"$ref": "#/components/schemas/Id"}, "ancestor_timeline_id": {"$ref": "#/components/schemas/Id"},
    "ancestor_start_lsn": {"$ref": "#/components/schemas/Position"},
    "name": {"allOf": [{"$ref": "#/components/schemas/Name"}], "description": "default: derived from the id"},
    "pg_version": {"type": "integer", "description": "optional; must be the ancestor's"},
    "expires_at": {"allOf": [{"$ref": "#/components/schemas/Time"}], "description": "default: never"},
    "wal_level": {"allOf": [{"$ref": "#/components/schemas/WalLevel"}], "description": "default: the ancestor's"}}},
  "ChangeTimeline": {"type": "object", "additionalProperties": false, "properties": {
    "deletion_protected": {"type": "boolean", "description": "true also removes the expiry"},
    "expires_at": {"type": "string", "format": "date-time", "nullable": true, "description": "null: never"},
    "wal_level": {"$ref": "#/components/schemas/WalLevel"}}},
  "ResetTimeline": {"type": "object", "additionalProperties": false, "properties": {
    "ancestor_start_lsn": {"allOf": [{"$ref": "#/components/schemas/Position"}],
      "description": "default: the head of the parent"},
    "keep_as": {"allOf": [{"$ref": "#/components/schemas/Name"}],
      "description": "the old branch is kept under this name; default: it is deleted"},
    "name": {"allOf": [{"$ref": "#/components/schemas/Name"}],
      "description": "refused (409) if the branch has another name now: a reset has given it to another timeline"},
    "check_only": {"type": "boolean", "description": "change nothing: only whether the reset is possible"}}},

  "LsnByTimestamp": {"type": "object", "required": ["kind"], "properties": {
    "lsn": {"$ref": "#/components/schemas/Lsn"},
    "kind": {"type": "string", "enum": ["present", "future", "past", "nodata"]},
    "earliest": {"$ref": "#/components/schemas/Time"},
    "known_until": {"allOf": [{"$ref": "#/components/schemas/Time"}],
      "description": "all transactions committed up to this time are included; for a later time, future may become present"}}},
  "Timestamp": {"$ref": "#/components/schemas/Time"},
  "LeaseLsn": {"type": "object", "required": ["lsn"], "additionalProperties": false, "properties": {
    "lsn": {"$ref": "#/components/schemas/Position"}}},
  "ResolvePoint": {"type": "object", "additionalProperties": false, "properties": {
    "lsn": {"$ref": "#/components/schemas/Position"}, "timestamp": {"$ref": "#/components/schemas/Time"},
    "wait_ms": {"type": "integer", "minimum": 0, "maximum": 10000,
      "description": "how long to wait for missing WAL; default: 0"}}},
  "Point": {"type": "object", "required": ["lsn", "kept_until"], "properties": {
    "lsn": {"$ref": "#/components/schemas/Lsn"},
    "kept_until": {"allOf": [{"$ref": "#/components/schemas/Time"}], "description": "readable at least until this time"},
    "known_until": {"$ref": "#/components/schemas/Time"}}},
  "StandbyStart": {"type": "object", "required": ["lsn", "standby_of"], "properties": {
    "lsn": {"allOf": [{"$ref": "#/components/schemas/Lsn"}], "description": "the standby has the pages as of this LSN and replays WAL from there on"},
    "standby_of": {"allOf": [{"$ref": "#/components/schemas/Lsn"}], "description": "for export: the head of which that is the newest position"}}},
  "ShowSourceConnection": {"type": "object", "required": ["key"], "additionalProperties": false, "properties": {
    "key": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "the key in server.json"}}},
  "SourceConnection": {"type": "object", "required": ["conninfo"], "properties": {
    "conninfo": {"type": "string", "description": "libpq connection string or postgresql:// URI"}}},
  "SideFileContent": {"type": "string", "format": "byte", "description": "an LZ4 block, in base64"},
  "SideFileName": {"type": "string",
    "description": "postgresql.auto.conf, postgresql.conf (the user's lines of it), pg_hba.conf, pg_ident.conf, pg_stat/*.stat or autoprewarm.blocks"},
  "SideFile": {"type": "object", "required": ["name", "lsn", "timeline_id", "number", "term", "stored_at", "proven"],
    "properties": {
    "name": {"$ref": "#/components/schemas/SideFileName"},
    "lsn": {"allOf": [{"$ref": "#/components/schemas/Lsn"}], "description": "it holds from here on"},
    "timeline_id": {"allOf": [{"$ref": "#/components/schemas/Id"}], "description": "this one, or the ancestor that has it"},
    "number": {"$ref": "#/components/schemas/Count"}, "term": {"$ref": "#/components/schemas/Count"},
    "stored_at": {"$ref": "#/components/schemas/Time"},
    "proven": {"type": "boolean", "description": "Postgres has started with it"},
    "size": {"$ref": "#/components/schemas/Bytes"}, "content": {"$ref": "#/components/schemas/SideFileContent"},
    "error": {"type": "string", "description": "in place of the content: it is damaged"}}},
  "SideFiles": {"type": "object", "required": ["wal_level", "files", "proven"], "properties": {
    "wal_level": {"$ref": "#/components/schemas/WalLevel"},
    "files": {"type": "array", "items": {"$ref": "#/components/schemas/SideFile"}},
    "proven": {"type": "array", "items": {"$ref": "#/components/schemas/SideFile"},
      "description": "of every file the last version with which Postgres has started"}}},
  "PutSideFiles": {"type": "object", "required": ["term", "lsn", "files"], "additionalProperties": false, "properties": {
    "term": {"$ref": "#/components/schemas/Count"}, "lsn": {"$ref": "#/components/schemas/Position"},
    "files": {"type": "array", "items": {"type": "object", "required": ["name", "size", "content"], "properties": {
      "name": {"$ref": "#/components/schemas/SideFileName"}, "size": {"$ref": "#/components/schemas/Bytes"},
      "content": {"$ref": "#/components/schemas/SideFileContent"},
      "proven": {"type": "boolean", "description": "default: false"}}}}}},
  "WalLevel": {"type": "string", "enum": ["replica", "logical"],
    "description": "wal_level of the computes of a branch, from their next start on"},
  "LsnLease": {"type": "object", "required": ["valid_until"], "properties": {
    "valid_until": {"$ref": "#/components/schemas/Time"}}},

  "Checkpointed": {"type": "object", "required": ["disk_consistent_lsn"], "properties": {
    "disk_consistent_lsn": {"$ref": "#/components/schemas/Lsn"}}},
  "Compacted": {"type": "object", "required": ["layers_in", "layers_out", "images_out", "bytes_in", "bytes_out"],
    "properties": {
    "layers_in": {"$ref": "#/components/schemas/Count"}, "layers_out": {"$ref": "#/components/schemas/Count"},
    "images_out": {"$ref": "#/components/schemas/Count"}, "bytes_in": {"$ref": "#/components/schemas/Bytes"},
    "bytes_out": {"$ref": "#/components/schemas/Bytes"}}},
  "CollectGarbage": {"type": "object", "additionalProperties": false, "properties": {
    "gc_horizon": {"$ref": "#/components/schemas/Bytes"}},
    "description": "gc_horizon: keep this many bytes of WAL, instead of the option; pitr_interval applies as usual"},
  "GarbageCollected": {"type": "object", "required": ["layers_removed", "bytes_removed", "gc_cutoff_lsn"],
    "properties": {
    "layers_removed": {"$ref": "#/components/schemas/Count"}, "bytes_removed": {"$ref": "#/components/schemas/Bytes"},
    "gc_cutoff_lsn": {"$ref": "#/components/schemas/Lsn"}}},
  "Layer": {"type": "object", "required": ["kind", "layer_file_name", "layer_file_size", "lsn_start", "level",
      "key_start", "key_end", "generation", "remote"], "properties": {
    "kind": {"type": "string", "enum": ["Delta", "Image"]}, "layer_file_name": {"type": "string"},
    "layer_file_size": {"$ref": "#/components/schemas/Bytes"}, "lsn_start": {"$ref": "#/components/schemas/Lsn"},
    "lsn_end": {"$ref": "#/components/schemas/Lsn"}, "level": {"type": "integer"}, "key_start": {"type": "string"},
    "key_end": {"type": "string"},
    "generation": {"type": "integer", "minimum": 1,
      "description": "attachment of the tenant to a pageserver that wrote the layer; each attachment has a higher one"},
    "remote": {"type": "boolean", "description": "true: the file is in object storage only"}}},
  "MemoryLayer": {"type": "object", "required": ["kind", "lsn_start"], "properties": {
    "kind": {"type": "string", "enum": ["Open", "Frozen"]}, "lsn_start": {"$ref": "#/components/schemas/Lsn"},
    "lsn_end": {"$ref": "#/components/schemas/Lsn"}}},
  "Key": {"type": "string", "pattern": "^[0-9A-F]{36}$"},
  "KeyRange": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"$ref": "#/components/schemas/Key"},
    "description": "the first key, and the first key after the range"},
  "Keyspace": {"type": "object", "required": ["keys", "sparse_keys", "at_lsn"], "properties": {
    "keys": {"type": "array", "items": {"$ref": "#/components/schemas/KeyRange"}},
    "sparse_keys": {"type": "array", "items": {"$ref": "#/components/schemas/KeyRange"}},
    "at_lsn": {"$ref": "#/components/schemas/Lsn"}}},
  "LayerMap": {"type": "object", "required": ["in_memory_layers", "historic_layers", "frozen_layer_count", "memory_size"], "properties": {
    "historic_layers": {"type": "array", "items": {"$ref": "#/components/schemas/Layer"}},
    "in_memory_layers": {"type": "array", "items": {"$ref": "#/components/schemas/MemoryLayer"}},
    "frozen_layer_count": {"$ref": "#/components/schemas/Count"},
    "memory_size": {"$ref": "#/components/schemas/Bytes"}}}
})json";
}

}  // namespace strata::api
