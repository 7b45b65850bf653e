#include "api/json_text.hpp"

#include <nlohmann/json.hpp>

#include "api/state_json.hpp"
#include "config/time_text.hpp"

namespace strata::api {
namespace {

using nlohmann::json;

std::string_view to_string(messages::source_status::phase phase) {
  using enum messages::source_status::phase;
  switch (phase) {
    case connecting: return "connecting";
    case backing_up: return "backing_up";
    case catching_up: return "catching_up";
    case streaming: return "streaming";
    case waiting_to_retry: return "waiting_to_retry";
    case failed: return "failed";
    case idle: return "idle";
  }
  return "failed";
}

/// What other clients of this API ask instead of the state.
json attachment_status(const messages::tenant_info& of) {
  using enum messages::tenant_state;
  switch (of.state) {
    case active: return {{"slug", "attached"}};
    case broken: return {{"slug", "failed"}, {"data", {{"reason", of.reason}}}};
    case attaching:
    case importing:
    case stopping:
    case deleting: break;
  }
  return {{"slug", "maybe"}};
}

std::string walreceiver_status(const messages::timeline_info& timeline) {
  if (!timeline.source) return "Not active";
  std::string status(to_string(timeline.source->now));
  if (!timeline.source->last_error.empty()) status += ": " + timeline.source->last_error;
  return status;
}

json members_to_json(const std::vector<consensus::member>& members) {
  json list = json::array();
  for (const consensus::member& each : members)
    list.push_back({{"id", each.id.value}, {"host", each.host}, {"port", each.port}});
  return list;
}

json source_to_json(const messages::source_status& source, const messages::source_lag& lag) {
  json made{{"phase", to_string(source.now)},
            {"conninfo", source.conninfo},
            {"user", source.user},
            {"database", source.database},
            {"slot", source.slot},
            {"received_lsn", core::to_string(source.received)},
            {"source_head_lsn", core::to_string(source.source_head)},
            {"backup_bytes", source.backup_bytes},
            {"backup_bytes_expected", source.backup_bytes_expected},
            {"last_error", source.last_error},
            {"reconnects", source.reconnects}};
  if (lag.bytes) made["lag_bytes"] = *lag.bytes;
  if (lag.since_message) made["last_message_ms"] = lag.since_message->count();
  if (source.clock_ahead)
    made["clock_ahead_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(*source.clock_ahead).count();
  return made;
}

/// Of a timeline that follows safekeepers.
json receiver_to_json(const messages::source_status& receiver) {
  return {{"phase", to_string(receiver.now)},
          {"from", receiver.conninfo},
          {"received_lsn", core::to_string(receiver.received)},
          {"head_lsn", core::to_string(receiver.source_head)},
          {"last_error", receiver.last_error},
          {"reconnects", receiver.reconnects}};
}

}  // namespace

json to_json(const consensus::configuration& safekeepers) {
  return {{"generation", safekeepers.generation},
          {"members", members_to_json(safekeepers.members)},
          {"new_members", safekeepers.new_members ? members_to_json(*safekeepers.new_members) : json()}};
}

json to_json(const messages::pending_operation& operation) {
  return {{"what", operation.what == messages::pending_operation::kind::create ? "create" : "delete"},
          {"safekeeper", operation.on.value},
          {"tenant_id", core::to_string(operation.tenant)},
          {"timeline_id", core::to_string(operation.timeline)},
          {"age_ms", operation.age.count()},
          {"last_error", operation.last_error}};
}

json slots_to_json(const std::vector<messages::slot_left>& slots) {
  json made = json::array();
  for (const auto& left : slots)
    made.push_back(
        {{"source", left.source}, {"slot", left.slot}, {"error", left.why}, {"remembered", left.remembered}});
  return made;
}

json to_json(const messages::tenant_info& tenant) {
  json expired = json::array();
  for (const auto& each : tenant.expired)
    expired.push_back({{"name", each.name}, {"expired_at", config::utc_text(each.at)}});
  return {{"id", core::to_string(tenant.id)},
          {"expired_branches", std::move(expired)},
          {"name", tenant.name},
          {"state", to_json(tenant.state, tenant.reason)},
          {"attachment_status", attachment_status(tenant)},
          {"generation", tenant.generation.value},
          {"timeline_count", tenant.timeline_count},
          {"current_physical_size", tenant.layer_bytes}};
}

json to_json(const messages::timeline_info& timeline) {
  json made{{"tenant_id", core::to_string(timeline.tenant)},
            {"timeline_id", core::to_string(timeline.id)},
            {"name", timeline.name},
            {"state", to_json(timeline.state, timeline.reason)},
            {"last_record_lsn", core::to_string(timeline.last_record_lsn)},
            {"prev_record_lsn", core::to_string(timeline.previous_record_lsn)},
            {"disk_consistent_lsn", core::to_string(timeline.disk_consistent_lsn)},
            // Up to here safekeepers and the source may forget WAL.
            {"remote_consistent_lsn", core::to_string(timeline.disk_consistent_lsn)},
            {"remote_consistent_lsn_visible", core::to_string(timeline.disk_consistent_lsn)},
            {"readable_from_lsn", core::to_string(timeline.readable_from)},
            {"latest_gc_cutoff_lsn", core::to_string(timeline.gc_cutoff)},
            {"pg_version", timeline.pg_major},
            {"current_physical_size", timeline.layer_bytes},
            {"layer_count", timeline.layer_count},
            {"l0_layer_count", timeline.l0_layer_count},
            {"memory_size", timeline.memory_bytes},
            {"walreceiver_status", walreceiver_status(timeline)},
            {"created_at", config::utc_text(timeline.created)},
            {"follows", to_string(timeline.follows)}};
  if (timeline.ancestor) {
    made["ancestor_timeline_id"] = core::to_string(*timeline.ancestor);
    made["ancestor_lsn"] = core::to_string(timeline.ancestor_lsn);
  }
  if (timeline.last_commit) made["last_commit_at"] = config::utc_text(*timeline.last_commit);
  if (!timeline.last_error.empty()) made["last_error"] = timeline.last_error;
  if (timeline.source && timeline.source->gap)
    made["wal_gap"] = {{"from_lsn", core::to_string(timeline.source->gap->from)},
                       {"to_lsn", core::to_string(timeline.source->gap->to)}};
  if (timeline.safekeepers) made["safekeepers"] = to_json(*timeline.safekeepers);
  const bool has_source = timeline.follows == messages::wal_from::source;
  if (timeline.source && !has_source) made["receiver"] = receiver_to_json(*timeline.source);
  if (timeline.source && has_source) made["source"] = source_to_json(*timeline.source, timeline.lag);
  if (timeline.known_until) made["known_until"] = config::utc_text(*timeline.known_until);
  for (const messages::custom_manager& seen : timeline.custom_managers)
    made["custom_resource_managers"].push_back({{"id", seen.id}, {"since_lsn", core::to_string(seen.since)}});
  made["deletion_protected"] = timeline.deletion_protected;
  made["wal_level"] = timeline.logical_wal ? "logical" : "replica";
  if (timeline.expires) made["expires_at"] = config::utc_text(*timeline.expires);
  return made;
}

json to_json(const messages::actor_info& actor) {
  return {{"id", actor.id},         {"kind", actor.kind},          {"name", actor.name},
          {"parent", actor.parent}, {"pool", actor.pool},          {"state", actor.state},
          {"age_us", actor.age},    {"handled", actor.handled},    {"mailbox", actor.mailbox},
          {"busy_us", actor.busy},  {"longest_us", actor.longest}, {"last_error", actor.last_error}};
}

json to_json(const messages::pool_info& pool) {
  return {{"name", pool.name}, {"threads", pool.threads}, {"queued", pool.queued}, {"busy_us", pool.busy}};
}

json to_json(const storage::layer_record& layer) {
  const bool delta = layer.kind == storage::layer_kind::delta;
  json made{{"kind", delta ? "Delta" : "Image"},
            {"layer_file_name", storage::layer_file_name(layer)},
            {"layer_file_size", layer.size_bytes},
            {"lsn_start", core::to_string(layer.begin)},
            {"level", layer.level},
            {"key_start", core::to_string(layer.keys.begin)},
            {"key_end", core::to_string(layer.keys.end)},
            {"generation", layer.generation.value},
            {"remote", layer.residency != storage::layer_residency::local}};
  if (delta) made["lsn_end"] = core::to_string(layer.end);
  return made;
}

}  // namespace strata::api
