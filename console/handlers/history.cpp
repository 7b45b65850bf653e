#include <nlohmann/json.hpp>

#include "config/time_text.hpp"
#include "console/handlers.hpp"
#include "console/open_timeline.hpp"

namespace strata::console::handlers {

using nlohmann::json;

namespace {

std::string_view to_string(storage::lsn_at_time::kind kind) {
  switch (kind) {
    case storage::lsn_at_time::kind::present: return "present";
    case storage::lsn_at_time::kind::future: return "future";
    case storage::lsn_at_time::kind::past: return "past";
    case storage::lsn_at_time::kind::no_data: return "nodata";
  }
  return "nodata";
}

}  // namespace

core::result<reply> get_lsn_by_timestamp(const services& of, const request& from) {
  auto time = config::parse_iso_time(from.query_text("timestamp"), config::default_zone::utc);
  if (!time) return std::move(time).error().within("timestamp");
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto found, timeline.store->find_lsn(pg::timestamp_of(*time)));
  json body{{"kind", to_string(found.answer)}};
  if (found.at.valid()) body["lsn"] = core::to_string(found.at);
  return json_reply(body);
}

core::result<reply> get_timestamp_of_lsn(const services& of, const request& from) {
  STRATA_ASSIGN(const core::lsn at, parse_position("lsn", from.query_text("lsn")));
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto found, timeline.store->find_time(at));
  if (!found)
    return core::error{core::errc::not_found, "no transaction is known that ended at or before " + core::to_string(at)};
  return json_reply(config::utc_text(pg::wall_time_of(*found)));
}

core::result<reply> lease_lsn(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"lsn"}));
  STRATA_ASSIGN(const auto text, text_member(body, "lsn"));
  STRATA_ASSIGN(const core::lsn at, parse_position("lsn", text));
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto leased, ask<messages::lsn_leased>(of, timeline.actor, messages::lease_lsn{at}));
  return json_reply({{"valid_until", config::utc_text(leased.valid_until)}});
}

}  // namespace strata::console::handlers
