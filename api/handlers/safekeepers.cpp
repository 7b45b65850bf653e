#include <limits>
#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/json_text.hpp"

namespace strata::api::handlers {

using nlohmann::json;

namespace {

json safekeepers_json(const messages::timeline_safekeepers& of) {
  json made = api::to_json(of.members);
  made["tenant_id"] = core::to_string(of.tenant);
  made["timeline_id"] = core::to_string(of.timeline);
  made["former_members"] = json::array();
  for (const consensus::node_id id : of.former) made["former_members"].push_back(id.value);
  made["start_lsn"] = core::to_string(of.start_lsn);
  made["pg_version"] = of.cluster.pg_version;
  made["system_id"] = of.cluster.system_id;
  made["wal_segment_size"] = of.cluster.wal_segment_size;
  return made;
}

core::error not_members(std::string_view name) {
  return {core::errc::invalid_argument,
          std::string(name) + R"( must be like [{"id": 1, "host": "127.0.0.1", "port": 5454}])"};
}

template <class Number>
core::result<Number> number_of(const json& object, std::string_view name) {
  STRATA_ASSIGN(const auto number, optional_count_member(object, name));
  if (!number || *number == 0 || *number > std::numeric_limits<Number>::max())
    return core::error{core::errc::invalid_argument, std::string(name) + " is missing or invalid"};
  return static_cast<Number>(*number);
}

core::result<std::vector<consensus::member>> members_of(const json& list, std::string_view name) {
  if (!list.is_array() || list.size() > consensus::members_max) return not_members(name);
  std::vector<consensus::member> members;
  for (const json& each : list) {
    if (!each.is_object()) return not_members(name);
    consensus::member member;
    STRATA_ASSIGN(member.id.value, number_of<std::uint64_t>(each, "id"));
    STRATA_ASSIGN(member.host, host_member(each, "host"));
    STRATA_ASSIGN(member.port, number_of<std::uint16_t>(each, "port"));
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

core::result<reply> get_safekeepers(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_ASSIGN(const auto found, ask<messages::timeline_safekeepers>(
                                      of, of.tenants, messages::get_safekeepers{path.tenant, path.timeline}));
  return json_reply(safekeepers_json(found));
}

core::result<reply> assign_safekeepers(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  messages::assign_safekeepers wanted{path.tenant, path.timeline, {}};
  if (of.safekeepers) wanted.available = of.safekeepers();
  STRATA_ASSIGN(const auto assigned, ask<messages::timeline_safekeepers>(of, of.tenants, std::move(wanted)));
  return json_reply(safekeepers_json(assigned));
}

core::result<reply> change_safekeepers(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"generation", "members", "new_members"}));
  messages::change_safekeepers wanted{path.tenant, path.timeline, {}};
  STRATA_ASSIGN(wanted.to.generation, number_of<std::uint32_t>(body, "generation"));
  STRATA_ASSIGN(wanted.to.members, members_of(body.value("members", json()), "members"));
  if (const json to = body.value("new_members", json()); !to.is_null()) {
    STRATA_ASSIGN(wanted.to.new_members, members_of(to, "new_members"));
  }
  STRATA_ASSIGN(const auto changed, ask<messages::timeline_safekeepers>(of, of.tenants, std::move(wanted)));
  return json_reply(safekeepers_json(changed));
}

}  // namespace strata::api::handlers
