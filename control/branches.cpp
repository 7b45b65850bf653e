#include "control/branches.hpp"

#include <poll.h>

#include "config/quantity.hpp"
#include "config/suggest.hpp"
#include "config/time_text.hpp"
#include "control/failure.hpp"
#include "control/pick.hpp"
#include "pg/client/conninfo.hpp"
#include "storage/timeline/garbage_collection.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

template <class Entry>
std::string why_not_found(const std::vector<Entry>& all, const std::string& wanted, const std::string& kind) {
  if (all.empty()) return "there are no " + kind;
  std::vector<std::string> names;
  for (const Entry& each : all) names.push_back(each.name);
  const std::vector<std::string_view> views(names.begin(), names.end());
  return "there are: " + joined(names) + config::did_you_mean(wanted, views);
}

/// The one that the words name; a failure tells an ambiguous prefix from what is not there.
template <class Entry>
const Entry& chosen(const std::vector<Entry>& all, const std::string& wanted, const std::string& what,
                    const std::string& kind, const std::string& list) {
  const picked<Entry> found = pick(all, wanted);
  if (found.entry != nullptr) return *found.entry;
  if (!found.candidates.empty())
    throw failure(core::errc::invalid_argument, "\"" + wanted + "\" is ambiguous",
                  std::to_string(found.candidates.size()) + " " + kind + " match: " + joined(found.candidates),
                  "use a longer prefix or the full name; " + list);
  throw failure(core::errc::not_found, "there is no " + what, why_not_found(all, wanted, kind), list);
}

core::lsn lsn_of(const json& info, const char* member) {
  return need(core::parse_lsn(info.value(member, "0/0")), "the server's answer is not an LSN");
}

/// A time that is not known yet is waited for; after the first part that is told.
constexpr std::chrono::milliseconds silent_wait{2000};
constexpr std::chrono::milliseconds told_wait{8000};

core::result<json> find_point(const server_link& server, const branch_entry& branch, const json& point) {
  const auto ask = [&](std::chrono::milliseconds wait) {
    json body = point;
    body["wait_ms"] = wait.count();
    return server.api(server_link::short_limit).post(branch.path() + "/point", body);
  };
  auto found = ask(silent_wait);
  if (found || found.error().code != core::errc::unavailable) return found;
  server.report().tell("waiting up to " + config::duration_text(told_wait) + ": " + found.error().detail);
  return ask(told_wait);
}

/// More than what is usually on its way.
constexpr std::uint64_t usual_lag_bytes = 16u << 20;

/// A stream that has just begun tells in a moment how far it is.
json source_settled(const server_link& server, const branch_entry& branch) {
  constexpr int looks_max = 10;
  constexpr int look_interval_ms = 100;
  json info = branch.info;
  for (int looks = 0; looks < looks_max; ++looks) {
    const auto source = info.find("source");
    if (source == info.end() || source->contains("lag_bytes") || !source->value("last_error", "").empty()) break;
    ::poll(nullptr, 0, look_interval_ms);
    const auto now = server.api(server_link::short_limit).get(branch.path());
    if (now) info = *now;
  }
  return info;
}

/// The head of a branch that follows a source is the present only while the source is heard and followed closely.
void tell_if_not_present(const branch_entry& branch, reporter& report) {
  const json source = branch.info.value("source", json::object());
  if (source.empty()) return;
  const auto lag = source.find("lag_bytes");
  if (lag != source.end() && lag->get<std::uint64_t>() <= usual_lag_bytes) return;
  std::string text = branch.name + " is behind its source: " + following(source);
  const std::string until = branch.text("known_until");
  const auto time = config::parse_iso_time(until, config::default_zone::utc);
  if (time) text += "; it is complete up to " + config::local_text(*time);
  report.warn(text);
}

/// What the root of the branch's tree follows; empty when it follows nothing.
json followed_by_root(const server_link& server, const branch_entry& branch) {
  // The source hangs on the root of the tree; a chain can't be longer than the list.
  const auto all = list_branches(server, branch.source.name);
  const branch_entry* at = &branch;
  for (std::size_t i = 0; i <= all.size() && at != nullptr; ++i) {
    if (at->info.contains("source")) return at->info["source"];
    at = pick(all, at->text("ancestor_timeline_id")).entry;
  }
  return json::object();
}

}  // namespace

api::shown_state<messages::timeline_state> branch_entry::state() const {
  return api::timeline_state_in(info.value("state", json()));
}

std::string branch_entry::state_text() const {
  if (broken()) return "Broken: " + state().reason;
  const json shown = info.value("state", json(""));
  return shown.is_string() ? shown.get<std::string>() : shown.dump();
}

std::vector<source_entry> list_sources(const server_link& server) {
  std::vector<source_entry> all;
  for (const json& each : need(server.get("/v1/tenant"), "can't list the sources")) {
    const auto state = api::tenant_state_in(each.value("state", json()));
    std::string broken;
    if (state.is(messages::tenant_state::broken)) broken = state.reason.empty() ? "unknown" : state.reason;
    const bool importing = state.is(messages::tenant_state::importing);
    all.push_back({each.value("id", ""), each.value("name", ""), std::move(broken), importing});
  }
  if (all.size() == 1) all.front().alone = true;
  return all;
}

std::vector<branch_entry> list_branches(const server_link& server, const std::string& source) {
  std::vector<source_entry> sources;
  if (source.empty()) {
    sources = list_sources(server);
    std::erase_if(sources, [](const source_entry& each) { return !each.broken.empty() || each.importing; });
  } else {
    sources.push_back(find_source(server, source));
  }
  std::vector<branch_entry> all;
  for (const auto& each : sources)
    for (json& info : need(server.get("/v1/tenant/" + each.id + "/timeline"), "can't list the branches of " + each.name,
                           "strata status"))
      all.push_back({each, info.value("timeline_id", ""), info.value("name", ""), std::move(info)});
  return all;
}

source_entry find_source(const server_link& server, const std::string& name) {
  const auto all = list_sources(server);
  if (all.empty())
    throw failure(core::errc::not_found, "there is no source yet", "branches are created from a source",
                  "strata source add NAME --conninfo postgresql://user@host:port/postgres");
  if (name.empty() && all.size() == 1) return all.front();
  if (name.empty())
    throw failure(core::errc::invalid_argument, "the source is ambiguous", why_not_found(all, name, "sources"),
                  "name one with --tenant, or write " + all.front().name + "/BRANCH");
  return chosen(all, name, "source \"" + name + "\"", "sources", "strata source list");
}

config::branch_spec parse_spec(const std::string& text) {
  return need(config::parse_branch_spec(text, core::system_clock().now()), "can't parse \"" + text + "\"",
              "write BRANCH, BRANCH@10m, BRANCH@\"2026-11-22 14:00\" or BRANCH@0/3B21F08");
}

config::branch_spec parse_branch_name(const std::string& text) {
  auto spec = parse_spec(text);
  if (!std::holds_alternative<config::branch_head>(spec.at))
    throw failure(core::errc::invalid_argument, "\"" + text + "\" names a point in time",
                  "this command takes a branch without a point in time", "remove the part from @");
  return spec;
}

branch_entry find_branch(const server_link& server, const scope& of, const config::branch_spec& spec) {
  const source_entry source = find_source(server, spec.tenant.empty() ? of.tenant : spec.tenant);
  const auto all = list_branches(server, source.name);
  return chosen(all, spec.branch, "branch \"" + spec.branch + "\" of " + source.name, "branches", "strata branch list");
}

namespace {

struct earliest_point {
  core::wall_time time;
  std::optional<core::wall_time> known_until;
};

std::optional<earliest_point> earliest_of(const server_link& server, const branch_entry& branch) {
  if (!branch.active()) return std::nullopt;
  const auto found = server.api(server_link::short_limit)
                         .get(branch.path() + "/get_lsn_by_timestamp", {{"timestamp", "1970-01-01T00:00:00Z"}});
  if (!found) return std::nullopt;
  const auto time_of = [&](const char* member) -> std::optional<core::wall_time> {
    const auto time = config::parse_iso_time(found->value(member, ""), config::default_zone::utc);
    return time ? std::optional(*time) : std::nullopt;
  };
  const auto time = time_of("earliest");
  return time ? std::optional(earliest_point{*time, time_of("known_until")}) : std::nullopt;
}

/// A time before the earliest is refused, and one after what is known, too: the next whole second may be either.
std::string earliest_text(const earliest_point& of) {
  const auto second = std::chrono::ceil<std::chrono::seconds>(of.time);
  const bool is_known = of.known_until ? second <= *of.known_until : second <= core::system_clock().now();
  return is_known ? config::local_text(second) : config::utc_text(of.time);
}

}  // namespace

void require_full_name(const branch_entry& found, const config::branch_spec& wanted, const std::string& verb) {
  if (found.name == wanted.branch || found.id == wanted.branch) return;
  throw failure(core::errc::not_found, "there is no branch \"" + wanted.branch + "\"",
                verb + " requires the full name; the closest match is " + found.name, "strata branch list");
}

void require_full_name(const source_entry& found, const std::string& wanted, const std::string& verb) {
  if (found.name == wanted || found.id == wanted) return;
  throw failure(core::errc::not_found, "there is no source \"" + wanted + "\"",
                verb + " requires the full name; the closest match is " + found.name, "strata source list");
}

resolved_point resolve(const server_link& server, const branch_entry& branch, const config::branch_point& point) {
  if (!branch.active())
    throw failure(core::errc::unavailable, branch.name + " can't be read now", "its state is " + branch.state_text(),
                  "strata branch show " + branch.spec());
  const auto* moment = std::get_if<core::wall_time>(&point);
  const auto* given = std::get_if<core::lsn>(&point);
  json asked = json::object();
  if (given != nullptr) asked["lsn"] = core::to_string(*given);
  if (moment != nullptr) asked["timestamp"] = config::utc_text(*moment);
  std::string what = "can't find the head of " + branch.name;
  if (given != nullptr) what = "can't read " + branch.name + "@" + core::to_string(*given);
  if (moment != nullptr) what = "can't determine the state of " + branch.name + " at " + config::local_text(*moment);
  branch_entry seen = branch;
  if (given == nullptr && moment == nullptr) seen.info = source_settled(server, branch);
  auto tried = find_point(server, branch, asked);
  if (!tried && moment != nullptr && tried.error().code == core::errc::out_of_range)
    if (const auto earliest = earliest_of(server, branch))
      tried = core::error{core::errc::out_of_range,
                          tried.error().detail + "; the earliest available time is " + earliest_text(*earliest)};
  const json answer = need(tried, what, "strata branch show " + branch.spec());
  if (given == nullptr && moment == nullptr) tell_if_not_present(seen, server.report());
  resolved_point found{lsn_of(answer, "lsn"), std::nullopt};
  if (moment != nullptr) found.time = *moment;
  if (found.time) return found;
  const auto time = server.api(server_link::short_limit)
                        .get(branch.path() + "/get_timestamp_of_lsn", {{"lsn", core::to_string(found.at)}});
  // Only for show: history may not reach back to a transaction.
  if (time && time->is_string()) {
    const auto parsed = config::parse_iso_time(time->get<std::string>(), config::default_zone::utc);
    // Up to the whole second that is shown: asked for, it has the transaction.
    if (parsed) found.time = std::chrono::ceil<std::chrono::seconds>(*parsed);
  }
  return found;
}

std::optional<core::wall_time> earliest_time(const server_link& server, const branch_entry& branch) {
  const auto found = earliest_of(server, branch);
  // The next whole second: times are shown without fractions, and one before the earliest is refused.
  return found ? std::optional<core::wall_time>(std::chrono::ceil<std::chrono::seconds>(found->time)) : std::nullopt;
}

std::string lag_text(const json& source) {
  const auto bytes = source.find("lag_bytes");
  return bytes == source.end() ? "unknown" : config::size_text(bytes->get<std::uint64_t>());
}

std::string last_message_text(const json& source) {
  const auto ms = source.find("last_message_ms");
  if (ms == source.end()) return "";
  const std::chrono::milliseconds age(ms->get<std::int64_t>());
  return age < std::chrono::seconds(1) ? "just now" : config::age_text(core::wall_time(), core::wall_time(age));
}

core::wall_time known_at(const branch_entry& branch) {
  const core::wall_time now = core::system_clock().now();
  if (!branch.info.contains("source")) return now;
  const auto until = config::parse_iso_time(branch.text("known_until"), config::default_zone::utc);
  return until ? std::min(*until, now) : now;
}

std::string phase_text(const json& source) {
  std::string text = source.value("phase", "");
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string following(const json& source) {
  std::string text = phase_text(source);
  if (source.contains("lag_bytes")) text += ", " + lag_text(source) + " behind";
  if (const std::string word = last_message_text(source); !word.empty()) text += ", last message " + word;
  if (const std::string clocks = clock_difference_text(source); !clocks.empty()) text += "; " + clocks;
  return text;
}

std::string clock_difference_text(const json& source) {
  const std::chrono::milliseconds ahead(source.value("clock_ahead_ms", std::int64_t{0}));
  if (std::chrono::abs(ahead) <= storage::clock_difference_max) return "";
  return "its clock is " + std::string(ahead.count() > 0 ? "ahead" : "behind") + " by " +
         config::duration_text(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::abs(ahead))) +
         ": garbage collection by time is paused";
}

std::string describe(const branch_entry& branch, const resolved_point& point) {
  std::string text = branch.name + "@" + core::to_string(point.at);
  if (!point.time) return text;
  return text + " (" + config::local_text(*point.time) + ", " +
         config::age_text(*point.time, core::system_clock().now()) + ")";
}

source_login source_login_of(const server_link& server, const branch_entry& branch) {
  const json source = followed_by_root(server, branch);
  // As libpq understood it when the source was reached: a service or the environment may name the user.
  source_login found{source.value("user", ""), source.value("database", "")};
  if (found.user.empty()) found.user = pg::client::user_in_conninfo(source.value("conninfo", ""));
  if (found.user.empty()) found.user = "postgres";
  if (found.database.empty()) found.database = "postgres";
  return found;
}

std::string time_shown(const std::string& utc) {
  const auto time = config::parse_iso_time(utc, config::default_zone::utc);
  if (!time) return utc;
  return config::local_text(*time) + " (" + config::age_text(*time, core::system_clock().now()) + ")";
}

std::string size_shown(const branch_entry& branch) {
  return config::size_text(branch.info.value("current_physical_size", std::uint64_t{0}) +
                           branch.info.value("memory_size", std::uint64_t{0}));
}

std::string expiry_shown(const json& timeline) {
  const auto time = config::parse_iso_time(timeline.value("expires_at", ""), config::default_zone::utc);
  if (!time) return "";
  using namespace std::chrono;
  auto left = ceil<seconds>(*time - core::system_clock().now());
  // As a person says it: the time beside it is exact.
  if (left >= days(2)) left = ceil<hours>(left);
  if (left >= hours(1)) left = ceil<minutes>(left);
  return config::local_text(*time) + (left.count() > 0 ? " (in " + config::duration_text(left) + ")" : " (now)");
}

std::string last_commit_shown(const branch_entry& branch) {
  const auto time = config::parse_iso_time(branch.text("last_commit_at"), config::default_zone::utc);
  if (!time) return branch.text("last_commit_at");
  return time_shown(config::utc_text(std::chrono::ceil<std::chrono::seconds>(*time)));
}

std::string extension_records(const json& info) {
  std::string text;
  for (const json& seen : info.value("custom_resource_managers", json::array()))
    text += (text.empty() ? "resource manager " : ", ") + std::to_string(seen.value("id", 0)) + " from " +
            seen.value("since_lsn", "");
  return text.empty() ? text : text + "; pages changed by them can't be read";
}

}  // namespace strata::control
