#include <unistd.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/json_body.hpp"
#include "api/route.hpp"
#include "api/safekeeper_handlers.hpp"
#include "api/safekeeper_json.hpp"
#include "config/time_text.hpp"
#include "core/address.hpp"

namespace strata::api::safekeeper_handlers {

using core::timeline_key;
using messages::wal_timeline_info;
using nlohmann::json;

namespace {

constexpr std::size_t hosts_max = 32;
/// Terms only go up: a branch whose safekeepers have heard of the last one could never be written again.
constexpr std::uint64_t term_max = std::numeric_limits<std::uint64_t>::max() / 2;
constexpr std::string_view scheme = "http://";

core::result<core::timeline_key> key_of(const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  return core::timeline_key{path.tenant, path.timeline};
}

template <class Request>
core::result<reply> answer_with_timeline(const services& of, Request request,
                                         std::chrono::milliseconds limit = answer_limit) {
  STRATA_ASSIGN(const auto info, ask<wal_timeline_info>(of, of.wal_timelines, std::move(request), limit));
  return json_reply(to_json(info));
}

core::result<std::uint32_t> small_number(const json& body, std::string_view name) {
  STRATA_ASSIGN(const auto value, optional_count_member(body, name));
  if (value.value_or(0) > std::numeric_limits<std::uint32_t>::max())
    return core::error{core::errc::invalid_argument, std::string(name) + " is too large"};
  return static_cast<std::uint32_t>(value.value_or(0));
}

core::result<consensus::configuration> configuration_in(const json& body) {
  const auto found = body.find("mconf");
  if (found == body.end()) return core::error{core::errc::invalid_argument, "mconf is missing"};
  return parse_configuration(*found, "mconf");
}

/// Who asks for another instance gave the timeline to a directory that is gone, with all that was promised from it.
core::result<void> check_instance(const services& of, const json& body) {
  STRATA_ASSIGN(const auto text, optional_text_member(body, "instance"));
  if (!text) return {};
  STRATA_ASSIGN(const auto instance, core::parse_id<core::instance_id>(*text));
  if (instance == of.instance) return {};
  return core::error{core::errc::conflict, "the directory of safekeeper " + to_string(of.safekeeper) +
                                               " is not the one that the timeline was assigned to: it was emptied"};
}

core::result<std::vector<std::string>> hosts_in(const json& body) {
  const core::error refused{core::errc::invalid_argument, "http_hosts must be a list of 1 to 32 strings HOST:PORT"};
  const auto list = body.find("http_hosts");
  if (list == body.end() || !list->is_array() || list->empty() || list->size() > hosts_max) return refused;
  std::vector<std::string> hosts;
  for (const json& each : *list) {
    if (!each.is_string()) return refused;
    std::string host = each.get<std::string>();
    if (host.starts_with(scheme)) host.erase(0, scheme.size());
    STRATA_ASSIGN(const core::address address, core::parse_address(host));
    STRATA_TRY(host_member({{"http_hosts", address.host}}, "http_hosts"));
    hosts.push_back(std::move(host));
  }
  return hosts;
}

}  // namespace

core::result<reply> get_status(const services& of, const request&) {
  return json_reply({{"id", of.safekeeper.value},
                     {"instance", core::to_string(of.instance)},
                     {"version", of.version},
                     {"pid", ::getpid()},
                     {"directory", of.directory},
                     {"wal_address", of.wal_address},
                     {"time", config::utc_text(of.clock->now())}});
}

core::result<reply> get_readyz(const services& of, const request&) {
  STRATA_TRY(
      ask<messages::wal_timeline_list>(of, of.wal_timelines, messages::list_wal_timelines{}, std::chrono::seconds(5)));
  return json_reply({{"status", "ok"}});
}

core::result<reply> get_openapi(const services& of, const request&) {
  reply text;
  text.body = openapi(safekeeper_routes(), of.version);
  return text;
}

core::result<reply> get_utilization(const services& of, const request&) {
  STRATA_ASSIGN(const auto disk, ask<messages::wal_disk_info>(of, of.wal_timelines, messages::get_wal_disk{}));
  return json_reply({{"timeline_count", disk.timelines},
                     {"wal_bytes", disk.wal_bytes},
                     {"free_bytes", disk.free_bytes},
                     {"reserve_bytes", disk.reserve_bytes}});
}

core::result<reply> list_timelines(const services& of, const request&) {
  STRATA_ASSIGN(const auto found,
                ask<messages::wal_timeline_list>(of, of.wal_timelines, messages::list_wal_timelines{}));
  json list = json::array();
  for (const auto& each : found.timelines) list.push_back(to_json(each));
  return json_reply(list);
}

core::result<reply> get_debug_dump(const services& of, const request& from) {
  STRATA_ASSIGN(auto status, get_status(of, from));
  STRATA_ASSIGN(auto timelines, list_timelines(of, from));
  STRATA_ASSIGN(auto disk, get_utilization(of, from));
  return json_reply({{"status", json::parse(status.body)},
                     {"timelines", json::parse(timelines.body)},
                     {"disk", json::parse(disk.body)}});
}

core::result<reply> create_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"tenant_id", "timeline_id", "mconf", "instance", "pg_version",
                                                   "system_id", "wal_seg_size", "start_lsn"}));
  STRATA_TRY(check_instance(of, body));
  messages::create_wal_timeline wanted;
  auto& state = wanted.state;
  STRATA_ASSIGN(const auto tenant, text_member(body, "tenant_id"));
  STRATA_ASSIGN(state.tenant, parse_tenant_id(tenant));
  STRATA_ASSIGN(const auto timeline, text_member(body, "timeline_id"));
  STRATA_ASSIGN(state.timeline, parse_timeline_id(timeline));
  STRATA_ASSIGN(state.members, configuration_in(body));
  STRATA_ASSIGN(state.cluster.pg_version, small_number(body, "pg_version"));
  STRATA_ASSIGN(state.cluster.wal_segment_size, small_number(body, "wal_seg_size"));
  STRATA_ASSIGN(const auto system_id, optional_count_member(body, "system_id"));
  state.cluster.system_id = system_id.value_or(0);
  STRATA_ASSIGN(const auto start, optional_lsn_member(body, "start_lsn"));
  if (start) state.timeline_start = state.local_start = state.commit_lsn = *start;
  return answer_with_timeline(of, std::move(wanted));
}

core::result<reply> get_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  return answer_with_timeline(of, messages::get_wal_timeline{key});
}

core::result<reply> delete_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  const bool everywhere = from.query_text("everywhere") == "true";
  STRATA_TRY(ask<messages::done>(of, of.wal_timelines, messages::delete_wal_timeline{key, everywhere}));
  return json_reply(json::object());
}

core::result<reply> delete_tenant(const services& of, const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_TRY(ask<messages::done>(of, of.wal_timelines, messages::delete_wal_tenant{tenant}));
  return json_reply(json::object());
}

core::result<reply> pull_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"tenant_id", "timeline_id", "http_hosts"}));
  STRATA_ASSIGN(const auto tenant_text, text_member(body, "tenant_id"));
  STRATA_ASSIGN(const auto tenant, parse_tenant_id(tenant_text));
  STRATA_ASSIGN(const auto timeline_text, text_member(body, "timeline_id"));
  STRATA_ASSIGN(const auto timeline, parse_timeline_id(timeline_text));
  STRATA_ASSIGN(auto hosts, hosts_in(body));
  return answer_with_timeline(of, messages::pull_wal_timeline{{tenant, timeline}, std::move(hosts)}, long_answer_limit);
}

core::result<reply> switch_members(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"mconf"}));
  STRATA_ASSIGN(auto to, configuration_in(body));
  return answer_with_timeline(of, messages::switch_wal_members{key, std::move(to)});
}

core::result<reply> exclude(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"mconf"}));
  STRATA_ASSIGN(auto to, configuration_in(body));
  STRATA_TRY(
      ask<messages::wal_member_excluded>(of, of.wal_timelines, messages::exclude_wal_member{key, std::move(to)}));
  return json_reply(json::object());
}

core::result<reply> bump_term(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"term"}));
  STRATA_ASSIGN(const auto term, optional_count_member(body, "term"));
  if (term.value_or(0) > term_max) return core::error{core::errc::invalid_argument, "term is too large"};
  messages::bump_wal_term wanted{key, std::nullopt};
  if (term) wanted.to = consensus::term{*term};
  return answer_with_timeline(of, wanted);
}

core::result<reply> checkpoint(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  return answer_with_timeline(of, messages::checkpoint_wal_timeline{key});
}

core::result<reply> get_digest(const services& of, const request& from) {
  STRATA_ASSIGN(const auto key, key_of(from));
  STRATA_ASSIGN(const auto begin, parse_position("from_lsn", from.query_text("from_lsn")));
  STRATA_ASSIGN(const auto end, parse_position("until_lsn", from.query_text("until_lsn")));
  STRATA_ASSIGN(const auto made, ask<messages::wal_digest>(of, of.wal_timelines, messages::digest_wal{key, begin, end},
                                                           long_answer_limit));
  return json_reply({{"crc32c", made.crc32c}});
}

}  // namespace strata::api::safekeeper_handlers
