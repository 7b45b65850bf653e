#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/json_text.hpp"
#include "api/timeline_sizes.hpp"
#include "config/branch_spec.hpp"

namespace strata::api::handlers {

using nlohmann::json;

namespace {

core::result<messages::create_branch> branch_request(const core::tenant_id& tenant, const json& body) {
  messages::create_branch wanted;
  wanted.tenant = tenant;
  STRATA_ASSIGN(const auto ancestor, optional_text_member(body, "ancestor_timeline_id"));
  if (!ancestor)
    return core::error{core::errc::invalid_argument,
                       "ancestor_timeline_id is missing; POST /v1/source creates timelines without an ancestor"};
  STRATA_ASSIGN(wanted.ancestor, parse_timeline_id(*ancestor));
  STRATA_ASSIGN(wanted.at, optional_lsn_member(body, "ancestor_start_lsn"));
  STRATA_ASSIGN(const auto id, optional_text_member(body, "new_timeline_id"));
  if (id) {
    STRATA_ASSIGN(wanted.id, parse_timeline_id(*id));
  }
  STRATA_ASSIGN(const auto name, optional_text_member(body, "name"));
  if (!name && !id) wanted.id = core::make_id<core::timeline_id>();
  wanted.name = name ? *name : "branch-" + core::to_string(*wanted.id).substr(0, 12);
  STRATA_TRY(config::check_name("branch", wanted.name));
  STRATA_ASSIGN(wanted.expires, optional_time_member(body, "expires_at"));
  STRATA_ASSIGN(wanted.logical_wal, optional_wal_level_member(body, "wal_level"));
  return wanted;
}

/// Longer than the server's own wait for an LSN that has not arrived yet.
constexpr std::chrono::milliseconds creation_limit = answer_limit + std::chrono::seconds(30);

}  // namespace

core::result<reply> list_timelines(const services& of, const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_ASSIGN(const auto found, ask<messages::timeline_list>(of, of.tenants, messages::list_timelines{tenant}));
  json timelines = json::array();
  for (const auto& timeline : found.timelines) timelines.push_back(to_json(timeline));
  return json_reply(timelines);
}

core::result<reply> create_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"new_timeline_id", "ancestor_timeline_id", "ancestor_start_lsn",
                                                   "name", "pg_version", "expires_at", "wal_level"}));
  STRATA_ASSIGN(auto wanted, branch_request(tenant, body));
  STRATA_ASSIGN(const auto major, optional_count_member(body, "pg_version"));
  if (major) {
    STRATA_ASSIGN(const auto ancestor,
                  ask<messages::timeline_info>(of, of.tenants, messages::get_timeline{tenant, wanted.ancestor}));
    if (std::cmp_not_equal(ancestor.pg_major, *major))
      return core::error{core::errc::invalid_argument,
                         "pg_version must be the ancestor's, " + std::to_string(ancestor.pg_major)};
  }
  STRATA_ASSIGN(const auto made, ask<messages::timeline_info>(of, of.tenants, std::move(wanted), creation_limit));
  return json_reply(to_json(made), 201);
}

core::result<reply> get_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_ASSIGN(const auto found,
                ask<messages::timeline_info>(of, of.tenants, messages::get_timeline{path.tenant, path.timeline}));
  json made = to_json(found);
  // One that can't be opened is shown with what its record says.
  const auto opened =
      ask<messages::timeline_opened>(of, of.tenants, messages::open_timeline{path.tenant, path.timeline});
  if (opened) made.update(of.sizes->describe(path.timeline, *opened->store));
  return json_reply(made);
}

core::result<reply> change_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"deletion_protected", "expires_at", "wal_level"}));
  messages::change_branch wanted{.tenant = path.tenant, .timeline = path.timeline};
  STRATA_ASSIGN(wanted.deletion_protected, optional_flag_member(body, "deletion_protected"));
  STRATA_ASSIGN(wanted.logical_wal, optional_wal_level_member(body, "wal_level"));
  if (body.contains("expires_at")) {
    STRATA_ASSIGN(const auto expires, optional_time_member(body, "expires_at"));
    wanted.expires.emplace(expires);
  }
  STRATA_ASSIGN(const auto changed, ask<messages::timeline_info>(of, of.tenants, std::move(wanted)));
  return json_reply(to_json(changed));
}

core::result<reply> reset_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"ancestor_start_lsn", "keep_as", "name", "check_only"}));
  messages::reset_branch wanted{.tenant = path.tenant, .timeline = path.timeline};
  STRATA_ASSIGN(wanted.at, optional_lsn_member(body, "ancestor_start_lsn"));
  STRATA_ASSIGN(wanted.keep_as, optional_text_member(body, "keep_as"));
  STRATA_ASSIGN(const auto name, optional_text_member(body, "name"));
  wanted.name = name.value_or("");
  STRATA_ASSIGN(const auto check_only, optional_flag_member(body, "check_only"));
  wanted.check_only = check_only.value_or(false);
  STRATA_ASSIGN(const auto made, ask<messages::timeline_info>(of, of.tenants, std::move(wanted), creation_limit));
  return json_reply(to_json(made), 201);
}

core::result<reply> delete_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_TRY(ask<messages::done>(
      of, of.tenants, messages::delete_timeline{path.tenant, path.timeline, std::string(from.query_text("name"))}));
  return json_reply(json::object());
}

core::result<reply> resume_source(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_TRY(ask<messages::done>(of, of.tenants, messages::resume_source{path.tenant, path.timeline}));
  return json_reply(json::object());
}

core::result<reply> promote_source(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  STRATA_ASSIGN(const json body, parse_body(from, {"force"}));
  const json force = body.value("force", json(false));
  if (!force.is_boolean()) return core::error{core::errc::invalid_argument, "force must be true or false"};
  messages::promote_source wanted{.tenant = path.tenant, .timeline = path.timeline, .available = {}};
  wanted.force = force.get<bool>();
  if (of.safekeepers) wanted.available = of.safekeepers();
  const auto limit = answer_limit + wanted.patience;
  reply awaited;
  awaited.later = ask_later<messages::source_promoted>(of, of.tenants, std::move(wanted), limit,
                                                       [](const messages::source_promoted& made) {
                                                         return json_reply({{"lsn", core::to_string(made.at)},
                                                                            {"left_at_source", made.missing},
                                                                            {"slots_left", slots_to_json(made.slots)}});
                                                       });
  return awaited;
}

}  // namespace strata::api::handlers
