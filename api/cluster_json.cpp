#include "api/cluster_json.hpp"

#include <nlohmann/json.hpp>

#include "api/safekeeper_json.hpp"
#include "config/time_text.hpp"

namespace strata::api {
namespace {

using consensus::cluster_view;
using consensus::quorum_view;
using consensus::safekeeper_status;
using nlohmann::json;

json to_json(const safekeeper_status& of) {
  json made{{"id", of.id.value},           {"state", consensus::to_string(of.state)},
            {"last_error", of.last_error}, {"unreachable", of.unreachable_at},
            {"pid", of.process},           {"wal", of.wal_address},
            {"http", of.http_address}};
  if (of.since) made["since"] = config::utc_text(*of.since);
  if (of.last_answer) made["last_answer"] = config::utc_text(*of.last_answer);
  if (of.disk_full) made["disk_full"] = *of.disk_full;
  if (of.timelines) made["timelines"] = *of.timelines;
  return made;
}

json to_json(const quorum_view& of) {
  json rows = json::array();
  for (const auto& row : of.rows) {
    json& made = rows.emplace_back(json{{"id", row.id.value}, {"state", row.state}});
    if (!row.reported) continue;
    made["term"] = row.reported->in.value;
    made["flush_lsn"] = core::to_string(row.reported->flush_lsn);
    made["commit_lsn"] = core::to_string(row.reported->commit_lsn);
    made["backup_lsn"] = core::to_string(row.reported->backup_lsn);
    made["lag_bytes"] = row.reported->lag_bytes;
  }
  return {{"tenant_id", core::to_string(of.of.tenant)},
          {"timeline_id", core::to_string(of.of.timeline)},
          {"branch", of.branch},
          {"mconf", configuration_json(of.members)},
          {"can_lose", of.health.can_lose},
          {"health", of.health.text},
          {"lacking", of.lacking},
          {"safekeepers", std::move(rows)}};
}

core::result<std::optional<core::wall_time>> time_at(const json& in, const char* name) {
  const auto text = in.find(name);
  if (text == in.end()) return std::optional<core::wall_time>();
  STRATA_ASSIGN(const auto time, config::parse_iso_time(text->get<std::string>(), config::default_zone::utc));
  return std::optional(time);
}

core::result<core::lsn> lsn_at(const json& in, const char* name) {
  return core::parse_lsn(in.at(name).get<std::string>());
}

template <class Number>
std::optional<Number> optional_at(const json& in, const char* name) {
  const auto found = in.find(name);
  return found == in.end() ? std::nullopt : std::optional(found->get<Number>());
}

core::result<safekeeper_status> parse_safekeeper(const json& from) {
  safekeeper_status made;
  made.id.value = from.at("id").get<std::uint64_t>();
  const auto state = consensus::parse_safekeeper_state(from.at("state").get<std::string>());
  if (!state) return core::error{core::errc::corrupt, "a safekeeper has an unknown state"};
  made.state = *state;
  made.last_error = from.at("last_error").get<std::string>();
  made.unreachable_at = from.at("unreachable").get<std::map<std::string, std::string>>();
  made.process = from.at("pid").get<std::int64_t>();
  made.wal_address = from.at("wal").get<std::string>();
  made.http_address = from.at("http").get<std::string>();
  STRATA_ASSIGN(made.since, time_at(from, "since"));
  STRATA_ASSIGN(made.last_answer, time_at(from, "last_answer"));
  made.disk_full = optional_at<bool>(from, "disk_full");
  made.timelines = optional_at<std::uint64_t>(from, "timelines");
  return made;
}

core::result<quorum_view::row> parse_row(const json& from) {
  quorum_view::row made;
  made.id.value = from.at("id").get<std::uint64_t>();
  made.state = from.at("state").get<std::string>();
  if (!from.contains("term")) return made;
  auto& positions = made.reported.emplace();
  positions.in.value = from.at("term").get<std::uint64_t>();
  STRATA_ASSIGN(positions.flush_lsn, lsn_at(from, "flush_lsn"));
  STRATA_ASSIGN(positions.commit_lsn, lsn_at(from, "commit_lsn"));
  STRATA_ASSIGN(positions.backup_lsn, lsn_at(from, "backup_lsn"));
  positions.lag_bytes = from.at("lag_bytes").get<std::uint64_t>();
  return made;
}

core::result<quorum_view> parse_quorum(const json& from) {
  quorum_view made;
  STRATA_ASSIGN(made.of.tenant, core::parse_id<core::tenant_id>(from.at("tenant_id").get<std::string>()));
  STRATA_ASSIGN(made.of.timeline, core::parse_id<core::timeline_id>(from.at("timeline_id").get<std::string>()));
  made.branch = from.at("branch").get<std::string>();
  STRATA_ASSIGN(made.members, parse_configuration(from.at("mconf"), "mconf"));
  made.health = {from.at("can_lose").get<int>(), from.at("health").get<std::string>()};
  made.lacking = from.at("lacking").get<std::vector<std::uint64_t>>();
  for (const json& each : from.at("safekeepers")) {
    STRATA_ASSIGN(auto row, parse_row(each));
    made.rows.push_back(std::move(row));
  }
  return made;
}

core::result<cluster_view> parse(const json& from) {
  cluster_view made;
  for (const json& each : from.at("safekeepers")) {
    STRATA_ASSIGN(auto safekeeper, parse_safekeeper(each));
    made.safekeepers.push_back(std::move(safekeeper));
  }
  for (const json& each : from.at("timelines")) {
    STRATA_ASSIGN(auto quorum, parse_quorum(each));
    made.quorums.push_back(std::move(quorum));
  }
  for (const json& each : from.at("unlisted")) {
    STRATA_ASSIGN(const auto tenant, core::parse_id<core::tenant_id>(each.at("tenant_id").get<std::string>()));
    made.unlisted.push_back({tenant, each.at("name").get<std::string>(), each.at("error").get<std::string>()});
  }
  made.health = {from.at("can_lose").get<int>(), from.at("health").get<std::string>()};
  return made;
}

}  // namespace

json to_json(const cluster_view& view) {
  json safekeepers = json::array();
  for (const auto& each : view.safekeepers) safekeepers.push_back(to_json(each));
  json timelines = json::array();
  for (const auto& each : view.quorums) timelines.push_back(to_json(each));
  json unlisted = json::array();
  for (const auto& each : view.unlisted)
    unlisted.push_back({{"tenant_id", core::to_string(each.tenant)}, {"name", each.name}, {"error", each.why}});
  return {{"safekeepers", std::move(safekeepers)},
          {"timelines", std::move(timelines)},
          {"unlisted", std::move(unlisted)},
          {"can_lose", view.health.can_lose},
          {"health", view.health.text}};
}

core::result<cluster_view> parse_cluster_view(const json& from) {
  try {
    auto parsed = parse(from);
    if (!parsed) return core::error{core::errc::corrupt, "the state of the cluster: " + parsed.error().detail};
    return parsed;
  } catch (const json::exception& e) {
    return core::error{core::errc::corrupt, std::string("the state of the cluster: ") + e.what()};
  }
}

}  // namespace strata::api
