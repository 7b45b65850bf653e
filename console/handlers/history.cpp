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

bool can_be_read(const storage::timeline_store& store, const storage::lsn_at_time& found) {
  using kind = storage::lsn_at_time::kind;
  return (found.answer == kind::present || found.answer == kind::future) && store.check_readable(found.at).has_value();
}

/// The earliest time for which there is an LSN that can be read; nullopt when no transaction is known. What can be read
/// at one time can be read at every later one, leases apart, so halving finds it: some fifty questions about an index.
core::result<std::optional<pg::timestamp>> earliest_time(const storage::timeline_store& store) {
  STRATA_ASSIGN(const auto newest, store.find_time(store.last_record_lsn()));
  if (!newest) return newest;
  pg::timestamp low = 0;
  pg::timestamp high = *newest;
  while (low < high) {
    const pg::timestamp middle = low + (high - low) / 2;
    STRATA_ASSIGN(const auto found, store.find_lsn(middle));
    if (can_be_read(store, found))
      high = middle;
    else
      low = middle + 1;
  }
  return std::optional(high);
}

}  // namespace

core::result<reply> get_lsn_by_timestamp(const services& of, const request& from) {
  auto time = config::parse_iso_time(from.query_text("timestamp"), config::default_zone::utc);
  if (!time) return std::move(time).error().within("timestamp");
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto found, timeline.store->find_lsn(pg::timestamp_of(*time)));
  json body{{"kind", to_string(found.answer)}};
  if (found.at.valid()) body["lsn"] = core::to_string(found.at);
  if (!can_be_read(*timeline.store, found)) {
    STRATA_ASSIGN(const auto earliest, earliest_time(*timeline.store));
    if (earliest) body["earliest"] = config::utc_text(pg::wall_time_of(*earliest));
  }
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
