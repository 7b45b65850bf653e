#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/json_text.hpp"
#include "config/branch_spec.hpp"
#include "config/option_text.hpp"

namespace strata::api::handlers {

using nlohmann::json;

namespace {

core::result<config::tenant_options> options_of(const services& of, const core::tenant_id& tenant) {
  STRATA_ASSIGN(const auto found,
                ask<messages::tenant_options_reply>(of, of.tenants, messages::get_tenant_options{tenant}));
  return found.options;
}

reply config_reply(const services& of, const config::tenant_options& options) {
  return json_reply({{"tenant_specific_overrides", json::parse(config::overrides_of(options, of.tenant_defaults))},
                     {"effective_config", json::parse(config::options_text(options))}});
}

core::result<reply> change_config(const services& of, const request& from, bool keep_others) {
  STRATA_ASSIGN(json body, parse_body(from));
  STRATA_ASSIGN(const auto id, text_member(body, "tenant_id"));
  STRATA_ASSIGN(const auto tenant, parse_tenant_id(id));
  body.erase("tenant_id");
  config::tenant_options base = of.tenant_defaults;
  // Asked in both cases: a tenant that isn't here is told before the options are looked at.
  STRATA_ASSIGN(const auto current, options_of(of, tenant));
  if (keep_others) base = current;
  STRATA_ASSIGN(const auto wanted, config::apply_overrides(base, body.dump(), of.tenant_defaults));
  STRATA_TRY(ask<messages::done>(of, of.tenants, messages::set_tenant_options{tenant, wanted}));
  return config_reply(of, wanted);
}

}  // namespace

core::result<reply> add_source(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"name", "conninfo", "slot"}));
  STRATA_ASSIGN(const auto name, text_member(body, "name"));
  STRATA_TRY(config::check_name("source", name));
  STRATA_ASSIGN(const auto conninfo, text_member(body, "conninfo"));
  STRATA_ASSIGN(const auto slot, optional_text_member(body, "slot"));
  STRATA_ASSIGN(const auto added,
                ask<messages::source_added>(of, of.tenants, messages::add_source{name, conninfo, slot.value_or("")}));
  json settings = json::array();
  for (const auto& each : added.settings) settings.push_back({{"name", each.name}, {"value", each.value}});
  return json_reply({{"tenant_id", core::to_string(added.tenant)},
                     {"timeline_id", core::to_string(added.timeline)},
                     {"name", name},
                     {"settings", std::move(settings)}},
                    201);
}

core::result<reply> create_tenant(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"name", "path", "system_id"}));
  messages::create_tenant wanted;
  STRATA_ASSIGN(wanted.name, text_member(body, "name"));
  STRATA_TRY(config::check_name("tenant", wanted.name));
  STRATA_ASSIGN(wanted.path, text_member(body, "path"));
  if (!wanted.path.starts_with('/'))
    return core::error{core::errc::invalid_argument, "path \"" + wanted.path + "\": must be absolute"};
  STRATA_ASSIGN(const auto system_id, optional_text_member(body, "system_id"));
  if (system_id && *system_id != "keep" && *system_id != "new")
    return core::error{core::errc::invalid_argument, "system_id \"" + *system_id + "\": must be keep or new"};
  wanted.new_system_id = system_id == "new";
  if (!of.safekeepers || of.safekeepers().empty())
    return core::error{core::errc::unavailable, "this server has no safekeepers: strata up --safekeepers 3"};
  reply awaited;
  awaited.later = ask_later<messages::tenant_created>(
      of, of.tenants, wanted, import_limit, [name = wanted.name](const messages::tenant_created& made) {
        return json_reply({{"tenant_id", core::to_string(made.tenant)},
                           {"timeline_id", core::to_string(made.timeline)},
                           {"name", name},
                           {"pg_version", made.pg_major},
                           {"bytes", made.bytes}},
                          201);
      });
  return awaited;
}

core::result<reply> list_tenants(const services& of, const request&) {
  STRATA_ASSIGN(const auto found, ask<messages::tenant_list>(of, of.tenants, messages::list_tenants{}));
  json tenants = json::array();
  for (const auto& tenant : found.tenants) tenants.push_back(to_json(tenant));
  return json_reply(tenants);
}

core::result<reply> get_tenant(const services& of, const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_ASSIGN(const auto found, ask<messages::tenant_info>(of, of.tenants, messages::get_tenant{tenant}));
  json made = to_json(found);
  json& timelines = made["timelines"] = json::array();
  // A tenant that is broken or being attached is shown without them.
  const auto listed = ask<messages::timeline_list>(of, of.tenants, messages::list_timelines{tenant});
  if (listed)
    for (const auto& each : listed->timelines) timelines.push_back(core::to_string(each.id));
  return json_reply(made);
}

core::result<reply> delete_tenant(const services& of, const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_ASSIGN(const auto deleted, ask<messages::tenant_deleted>(of, of.tenants, messages::delete_tenant{tenant}));
  return json_reply({{"slots_left", slots_to_json(deleted.slots)}});
}

core::result<reply> get_tenant_config(const services& of, const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_ASSIGN(const auto options, options_of(of, tenant));
  return config_reply(of, options);
}

core::result<reply> replace_tenant_config(const services& of, const request& from) {
  return change_config(of, from, false);
}

core::result<reply> patch_tenant_config(const services& of, const request& from) {
  return change_config(of, from, true);
}

}  // namespace strata::api::handlers
