#include <nlohmann/json.hpp>

#include "api/errors.hpp"
#include "api/handlers.hpp"
#include "api/open_timeline.hpp"
#include "config/time_text.hpp"
#include "storage/mapping/standby_start.hpp"

namespace strata::api::handlers {

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

/// In a time that does not tell how much of it is right.
bool same_secret(std::string_view given, std::string_view secret) {
  if (given.size() != secret.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < secret.size(); ++i) difference |= static_cast<unsigned>(given[i] ^ secret[i]);
  return difference == 0;
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

constexpr std::uint64_t wait_ms_max = 10'000;

core::result<messages::resolve_point> point_asked(const json& body) {
  messages::resolve_point asked;
  STRATA_ASSIGN(const auto at, optional_lsn_member(body, "lsn"));
  STRATA_ASSIGN(const auto text, optional_text_member(body, "timestamp"));
  if (at && text) return core::error{core::errc::invalid_argument, "lsn and timestamp are mutually exclusive"};
  if (at) asked.at = *at;
  if (text) {
    auto time = config::parse_iso_time(*text, config::default_zone::utc);
    if (!time) return std::move(time).error().within("timestamp");
    asked.at = *time;
  }
  STRATA_ASSIGN(const auto wait, optional_count_member(body, "wait_ms"));
  if (wait && *wait > wait_ms_max)
    return core::error{core::errc::invalid_argument, "wait_ms must be at most " + std::to_string(wait_ms_max)};
  asked.timeout = std::chrono::milliseconds(wait.value_or(0));
  return asked;
}

/// The state at that time is not known, and what is.
reply not_known(core::wall_time time, const messages::point_resolved& answer) {
  json body{{"error",
             {{"code", core::to_string(core::errc::unavailable)},
              {"message", "the state at " + config::utc_text(time) + " is not known yet: " + answer.why},
              {"next", "repeat the request with wait_ms, or use a time up to known_until"}}}};
  if (answer.known_until) body["error"]["known_until"] = config::utc_text(*answer.known_until);
  body["msg"] = body["error"]["message"];
  reply made = json_reply(body, http_status(core::errc::unavailable));
  made.headers.emplace_back("Retry-After", "1");
  return made;
}

reply point_reply(const messages::resolve_point& asked, const messages::point_resolved& found) {
  if (!found.at.valid()) {
    const auto* time = std::get_if<core::wall_time>(&asked.at);
    return not_known(time != nullptr ? *time : core::wall_time{}, found);
  }
  json answer{{"lsn", core::to_string(found.at)}, {"kept_until", config::utc_text(found.kept_until)}};
  if (found.known_until) answer["known_until"] = config::utc_text(*found.known_until);
  return json_reply(answer);
}

}  // namespace

core::result<reply> resolve_point(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"lsn", "timestamp", "wait_ms"}));
  STRATA_ASSIGN(const auto asked, point_asked(body));
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  // The head is here whatever the source does.
  if (asked.timeout.count() == 0 || std::holds_alternative<std::monostate>(asked.at)) {
    STRATA_ASSIGN(const auto found, ask<messages::point_resolved>(of, timeline.actor, asked));
    return point_reply(asked, found);
  }
  reply awaited;
  awaited.later = ask_later<messages::point_resolved>(
      of, timeline.actor, asked, answer_limit + asked.timeout,
      [asked](const messages::point_resolved& found) { return point_reply(asked, found); });
  return awaited;
}

core::result<reply> get_lsn_by_timestamp(const services& of, const request& from) {
  auto time = config::parse_iso_time(from.query_text("timestamp"), config::default_zone::utc);
  if (!time) return std::move(time).error().within("timestamp");
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  // Asked first: what is known then is in the store.
  STRATA_ASSIGN(const auto info, ask<messages::timeline_info>(of, timeline.actor, messages::get_timeline_info{}));
  STRATA_ASSIGN(const auto found, timeline.store->find_lsn(pg::timestamp_of(*time)));
  json body{{"kind", to_string(found.answer)}};
  if (found.at.valid()) body["lsn"] = core::to_string(found.at);
  if (!can_be_read(*timeline.store, found)) {
    STRATA_ASSIGN(const auto earliest, earliest_time(*timeline.store));
    if (earliest) body["earliest"] = config::utc_text(pg::wall_time_of(*earliest));
  }
  if (info.known_until) body["known_until"] = config::utc_text(*info.known_until);
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

core::result<reply> get_standby_start(const services& of, const request& from) {
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  const core::lsn head = timeline.store->last_record_lsn();
  STRATA_ASSIGN(const auto start, storage::mapping::find_standby_start(*timeline.store, head));
  return json_reply({{"lsn", core::to_string(start.at)}, {"standby_of", core::to_string(head)}});
}

core::result<reply> show_source_connection(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"key"}));
  STRATA_ASSIGN(const auto key, text_member(body, "key"));
  if (of.key.empty() || !same_secret(key, of.key))
    return core::error{
        core::errc::permission_denied,
        "the connection string of a source may have a password: its reader needs the key in server.json"};
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  const auto source = timeline.store->record().source;
  if (!source) return core::error{core::errc::invalid_argument, "the branch follows no source"};
  return json_reply({{"conninfo", source->conninfo}});
}

}  // namespace strata::api::handlers
