#include "api/safekeeper_json.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "api/json_body.hpp"

namespace strata::api {
namespace {

using nlohmann::json;

json members_json(const std::vector<consensus::member>& members) {
  json list = json::array();
  for (const auto& each : members) list.push_back({{"id", each.id.value}, {"host", each.host}, {"port", each.port}});
  return list;
}

core::error malformed(std::string_view name, std::string_view why) {
  return {core::errc::invalid_argument, std::string(name) + " " + std::string(why)};
}

core::result<std::vector<consensus::member>> parse_members(const json& list, std::string_view name) {
  if (!list.is_array() || list.size() > consensus::members_max) return malformed(name, "needs a list of members");
  std::vector<consensus::member> members;
  for (const json& each : list) {
    if (!each.is_object()) return malformed(name, "has a member that is not an object");
    consensus::member member;
    STRATA_ASSIGN(const auto id, optional_count_member(each, "id"));
    STRATA_ASSIGN(member.host, host_member(each, "host"));
    STRATA_ASSIGN(const auto port, optional_count_member(each, "port"));
    if (!id || !port || *port == 0 || *port > std::numeric_limits<std::uint16_t>::max())
      return malformed(name, "has a member without id or port");
    member.id.value = *id;
    member.port = static_cast<std::uint16_t>(*port);
    members.push_back(std::move(member));
  }
  return members;
}

json history_json(const consensus::term_history& of) {
  json list = json::array();
  for (const auto& each : of.entries()) list.push_back({{"term", each.in.value}, {"lsn", core::to_string(each.at)}});
  return list;
}

json peer_json(const protocol::safekeeper_timeline_info& of) {
  return {{"sk_id", of.safekeeper},
          {"term", of.term},
          {"last_log_term", of.last_log_term},
          {"generation", of.generation},
          {"flush_lsn", core::to_string(of.flush_lsn)},
          {"commit_lsn", core::to_string(of.commit_lsn)},
          {"backup_lsn", core::to_string(of.backup_lsn)},
          {"remote_consistent_lsn", core::to_string(of.remote_consistent_lsn)},
          {"local_start_lsn", core::to_string(of.local_start_lsn)},
          {"wal_address", of.wal_address},
          {"http_address", of.http_address}};
}

core::result<core::lsn> lsn_at(const json& in, const char* name) {
  return core::parse_lsn(in.at(name).get<std::string>());
}

}  // namespace

json configuration_json(const consensus::configuration& of) {
  return {{"generation", of.generation},
          {"members", members_json(of.members)},
          {"new_members", of.new_members ? members_json(*of.new_members) : json(nullptr)}};
}

core::result<consensus::configuration> parse_configuration(const json& from, std::string_view name) {
  if (!from.is_object()) return malformed(name, "must be an object with generation and members");
  const auto generation = from.find("generation");
  if (generation == from.end() || !generation->is_number_unsigned() ||
      generation->get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
    return malformed(name, "needs a generation");
  consensus::configuration parsed;
  parsed.generation = generation->get<std::uint32_t>();
  STRATA_ASSIGN(parsed.members, parse_members(from.value("members", json()), name));
  const json next = from.value("new_members", json());
  if (!next.is_null()) {
    STRATA_ASSIGN(parsed.new_members, parse_members(next, name));
  }
  STRATA_TRY(consensus::check(parsed));
  return parsed;
}

json to_json(const messages::wal_timeline_info& timeline) {
  const auto& state = timeline.state;
  json peers = json::array();
  for (const auto& each : timeline.peers) peers.push_back(peer_json(each));
  return {{"tenant_id", core::to_string(state.tenant)},
          {"timeline_id", core::to_string(state.timeline)},
          {"state", timeline.condition},
          {"mconf", configuration_json(state.members)},
          {"acceptor_state",
           {{"term", state.in.value},
            {"last_log_term", timeline.last_log_term.value},
            {"term_history", history_json(state.history)}}},
          {"pg_info",
           {{"pg_version", state.cluster.pg_version},
            {"system_id", state.cluster.system_id},
            {"wal_seg_size", state.cluster.wal_segment_size}}},
          {"timeline_start_lsn", core::to_string(state.timeline_start)},
          {"local_start_lsn", core::to_string(state.local_start)},
          {"wal_begin_lsn", core::to_string(timeline.wal_begin)},
          {"write_lsn", core::to_string(timeline.write_lsn)},
          {"flush_lsn", core::to_string(timeline.flush_lsn)},
          {"commit_lsn", core::to_string(state.commit_lsn)},
          {"backup_lsn", core::to_string(state.backup_lsn)},
          {"peer_horizon_lsn", core::to_string(state.peer_horizon)},
          {"remote_consistent_lsn", core::to_string(state.remote_consistent)},
          {"wal_bytes", timeline.wal_bytes},
          {"proposers", timeline.proposers},
          {"receivers", timeline.receivers},
          {"recovering_from", timeline.recovering_from},
          {"last_error", timeline.last_error},
          {"peers", peers}};
}

core::result<messages::wal_donor> parse_donor(const json& timeline) {
  messages::wal_donor donor;
  auto& state = donor.state;
  try {
    STRATA_ASSIGN(state.tenant, core::parse_id<core::tenant_id>(timeline.at("tenant_id").get<std::string>()));
    STRATA_ASSIGN(state.timeline, core::parse_id<core::timeline_id>(timeline.at("timeline_id").get<std::string>()));
    STRATA_ASSIGN(state.members, parse_configuration(timeline.at("mconf"), "mconf"));
    const json& acceptor = timeline.at("acceptor_state");
    state.in.value = acceptor.at("term").get<std::uint64_t>();
    std::vector<consensus::term_start> history;
    for (const json& each : acceptor.at("term_history")) {
      STRATA_ASSIGN(const core::lsn at, lsn_at(each, "lsn"));
      history.push_back({{each.at("term").get<std::uint64_t>()}, at});
    }
    if (!consensus::term_history::well_formed(history))
      return core::error{core::errc::corrupt, "its term history is invalid"};
    state.history = consensus::term_history(std::move(history));
    const json& cluster = timeline.at("pg_info");
    state.cluster = {cluster.at("pg_version").get<std::uint32_t>(), cluster.at("system_id").get<std::uint64_t>(),
                     cluster.at("wal_seg_size").get<std::uint32_t>()};
    STRATA_ASSIGN(state.timeline_start, lsn_at(timeline, "timeline_start_lsn"));
    STRATA_ASSIGN(state.local_start, lsn_at(timeline, "local_start_lsn"));
    STRATA_ASSIGN(state.commit_lsn, lsn_at(timeline, "commit_lsn"));
    STRATA_ASSIGN(state.backup_lsn, lsn_at(timeline, "backup_lsn"));
    STRATA_ASSIGN(state.peer_horizon, lsn_at(timeline, "peer_horizon_lsn"));
    STRATA_ASSIGN(state.remote_consistent, lsn_at(timeline, "remote_consistent_lsn"));
    STRATA_ASSIGN(donor.wal_begin, lsn_at(timeline, "wal_begin_lsn"));
    STRATA_ASSIGN(donor.flush_lsn, lsn_at(timeline, "flush_lsn"));
  } catch (const json::exception&) {
    return core::error{core::errc::corrupt,
                       "in the other safekeeper's answer a member is missing or has the wrong type"};
  }
  return donor;
}

core::result<consensus::timeline_copy> parse_timeline_copy(const json& timeline) {
  consensus::timeline_copy copy;
  try {
    STRATA_ASSIGN(copy.of.tenant, core::parse_id<core::tenant_id>(timeline.at("tenant_id").get<std::string>()));
    STRATA_ASSIGN(copy.of.timeline, core::parse_id<core::timeline_id>(timeline.at("timeline_id").get<std::string>()));
    if (auto members = parse_configuration(timeline.at("mconf"), "mconf")) copy.members = *std::move(members);
    copy.in.value = timeline.at("acceptor_state").at("term").get<std::uint64_t>();
    STRATA_ASSIGN(copy.flush_lsn, lsn_at(timeline, "flush_lsn"));
    STRATA_ASSIGN(copy.commit_lsn, lsn_at(timeline, "commit_lsn"));
    STRATA_ASSIGN(copy.backup_lsn, lsn_at(timeline, "backup_lsn"));
    copy.state = timeline.at("state").get<std::string>();
    copy.usable = copy.state == "active" || copy.state == "idle";
    const auto last_error = timeline.value("last_error", "");
    if (!last_error.empty()) copy.state += ": " + last_error;
  } catch (const json::exception&) {
    return core::error{core::errc::corrupt, "in a safekeeper's timeline a member is missing or has the wrong type"};
  }
  return copy;
}

}  // namespace strata::api
