#include "cli/branches.hpp"

#include <poll.h>

#include "cli/failure.hpp"
#include "config/suggest.hpp"
#include "config/time_text.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds catch_up_limit{10};
constexpr int look_interval_ms = 50;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// By name, or id, or a prefix of either that only one has.
template <class Entry>
const Entry* pick(const std::vector<Entry>& all, const std::string& wanted) {
  const Entry* found = nullptr;
  for (const Entry& each : all)
    if (each.name == wanted || each.id == wanted) return &each;
  for (const Entry& each : all) {
    if (!each.name.starts_with(wanted) && !each.id.starts_with(wanted)) continue;
    if (found != nullptr) return nullptr;
    found = &each;
  }
  return found;
}

template <class Entry>
std::string why_not_found(const std::vector<Entry>& all, const std::string& wanted, const std::string& kind) {
  if (all.empty()) return "there are no " + kind;
  std::vector<std::string> names;
  for (const Entry& each : all) names.push_back(each.name);
  const std::vector<std::string_view> views(names.begin(), names.end());
  return "there are: " + joined(names) + config::did_you_mean(wanted, views);
}

std::string window_of(const branch_entry& branch) {
  return branch.name + " can be read from " + branch.text("readable_from_lsn") + " to " +
         branch.text("last_record_lsn");
}

core::lsn lsn_of(const json& info, const char* member) {
  return need(core::parse_lsn(info.value(member, "0/0")), "the server answered something that is no LSN");
}

/// Whether WAL that the source has written is still on its way here.
bool is_behind_source(const json& info) {
  if (!info.contains("source")) return false;
  return lsn_of(info, "last_record_lsn") < lsn_of(info["source"], "source_head_lsn");
}

/// Returns what the branch is once everything has come that its source is known to have written.
json catch_up(const server_link& server, const branch_entry& branch) {
  const core::lsn head =
      branch.info.contains("source") ? lsn_of(branch.info["source"], "source_head_lsn") : core::lsn();
  const auto deadline = std::chrono::steady_clock::now() + catch_up_limit;
  json info = branch.info;
  while (lsn_of(info, "last_record_lsn") < head && std::chrono::steady_clock::now() < deadline) {
    ::poll(nullptr, 0, look_interval_ms);
    info = need(server.api().get(branch.path()), "lost sight of " + branch.name, "strata branch list");
  }
  return info;
}

resolved_point resolve_time(const server_link& server, const branch_entry& branch, core::wall_time time) {
  const std::string what = "can't find where " + branch.name + " was at " + config::local_text(time);
  const std::string next = "strata branch show " + branch.source.name + "/" + branch.name;
  const auto ask = [&] {
    return need(server.api().get(branch.path() + "/get_lsn_by_timestamp", {{"timestamp", config::utc_text(time)}}),
                what, next);
  };
  json found = ask();
  json info = branch.info;
  if (found.value("kind", "") == "future" && is_behind_source(info)) {
    // Commits of before that time may be among what has not come yet.
    info = catch_up(server, branch);
    found = ask();
  }
  const std::string kind = found.value("kind", "");
  if (kind == "present") return {lsn_of(found, "lsn"), time};
  // Nothing was committed since: the branch is as it was then.
  if (kind == "future") return {lsn_of(info, "last_record_lsn"), time};
  throw failure(exit_code::failure, "out_of_range", what,
                kind == "past" ? "its history does not go back that far: " + window_of(branch)
                               : "no transaction is known in its history: " + window_of(branch),
                next);
}

}  // namespace

std::string branch_entry::state() const {
  const auto found = info.find("state");
  if (found == info.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("Broken")) return "Broken: " + (*found)["Broken"].value("reason", "");
  return found->dump();
}

std::vector<source_entry> list_sources(const server_link& server) {
  std::vector<source_entry> all;
  for (const json& each : need(server.api().get("/v1/tenant"), "can't list the sources")) {
    const json state = each.value("state", json::object());
    std::string broken;
    if (state.value("slug", "") == "Broken") broken = state.value("data", json::object()).value("reason", "unknown");
    all.push_back({each.value("id", ""), each.value("name", ""), std::move(broken)});
  }
  return all;
}

std::vector<branch_entry> list_branches(const server_link& server, const std::string& source) {
  std::vector<source_entry> sources;
  if (source.empty()) {
    sources = list_sources(server);
    std::erase_if(sources, [](const source_entry& each) { return !each.broken.empty(); });
  } else {
    sources.push_back(find_source(server, source));
  }
  std::vector<branch_entry> all;
  for (const auto& each : sources)
    for (json& info : need(server.api().get("/v1/tenant/" + each.id + "/timeline"),
                           "can't list the branches of " + each.name, "strata status"))
      all.push_back({each, info.value("timeline_id", ""), info.value("name", ""), std::move(info)});
  return all;
}

source_entry find_source(const server_link& server, const std::string& name) {
  const auto all = list_sources(server);
  if (all.empty())
    throw failure(exit_code::not_found, "not_found", "there is no source yet",
                  "branches come from a Postgres to follow",
                  "strata source add NAME --conninfo postgresql://user@host:port/postgres");
  if (name.empty() && all.size() == 1) return all.front();
  if (name.empty())
    throw failure(exit_code::usage, "invalid_argument", "which source?", why_not_found(all, name, "sources"),
                  "name one with --tenant, or write " + all.front().name + "/BRANCH");
  const source_entry* found = pick(all, name);
  if (found == nullptr)
    throw failure(exit_code::not_found, "not_found", "there is no source \"" + name + "\"",
                  why_not_found(all, name, "sources"), "strata source list");
  return *found;
}

config::branch_spec parse_spec(const std::string& text) {
  return need(config::parse_branch_spec(text, core::system_clock().now()), "can't understand \"" + text + "\"",
              "write BRANCH, BRANCH@10m, BRANCH@\"2026-11-22 14:00\" or BRANCH@0/3B21F08");
}

config::branch_spec parse_branch_name(const std::string& text) {
  auto spec = parse_spec(text);
  if (!std::holds_alternative<config::branch_head>(spec.at))
    throw failure(exit_code::usage, "invalid_argument", "\"" + text + "\" names a point in time",
                  "this command takes a branch as a whole", "leave the part from @ on out");
  return spec;
}

branch_entry find_branch(const server_link& server, const context& of, const config::branch_spec& spec) {
  const source_entry source = find_source(server, spec.tenant.empty() ? of.tenant : spec.tenant);
  const auto all = list_branches(server, source.name);
  const branch_entry* found = pick(all, spec.branch);
  if (found == nullptr)
    throw failure(exit_code::not_found, "not_found", "there is no branch \"" + spec.branch + "\" of " + source.name,
                  why_not_found(all, spec.branch, "branches"), "strata branch list");
  return *found;
}

resolved_point resolve(const server_link& server, const branch_entry& branch, const config::branch_point& point) {
  if (branch.state() != "Active")
    throw failure(exit_code::unreachable, "unavailable", branch.name + " can't be read now",
                  "its state is " + branch.state(), "strata branch show " + branch.source.name + "/" + branch.name);
  if (const auto* time = std::get_if<core::wall_time>(&point)) return resolve_time(server, branch, *time);
  const auto* given = std::get_if<core::lsn>(&point);
  resolved_point found{given != nullptr ? *given : lsn_of(branch.info, "last_record_lsn"), std::nullopt};
  // Whether it can be read is the server's to say: a lease may keep what is behind the window.
  const auto time = server.api().get(branch.path() + "/get_timestamp_of_lsn", {{"lsn", core::to_string(found.at)}});
  // Only for show: history may not reach back to a transaction.
  if (time && time->is_string()) {
    const auto parsed = config::parse_iso_time(time->get<std::string>(), config::default_zone::utc);
    if (parsed) found.time = *parsed;
  }
  return found;
}

std::string describe(const branch_entry& branch, const resolved_point& point) {
  std::string text = branch.name + "@" + core::to_string(point.at);
  if (!point.time) return text;
  return text + " (" + config::local_text(*point.time) + ", " +
         config::age_text(*point.time, core::system_clock().now()) + ")";
}

std::string user_of(const server_link& server, const branch_entry& branch) {
  // The source hangs on the root of the tree; a chain can't be longer than the list.
  const auto all = list_branches(server, branch.source.name);
  const branch_entry* at = &branch;
  for (std::size_t i = 0; i <= all.size(); ++i) {
    if (at->info.contains("source")) {
      const std::string user = user_in_conninfo(at->info["source"].value("conninfo", ""));
      return user.empty() ? "postgres" : user;
    }
    const branch_entry* parent = pick(all, at->text("ancestor_timeline_id"));
    if (parent == nullptr) break;
    at = parent;
  }
  return "postgres";
}

std::string user_in_conninfo(const std::string& conninfo) {
  const auto scheme = conninfo.find("://");
  if (scheme != std::string::npos) {
    const auto begin = scheme + 3;
    const std::string authority = conninfo.substr(begin, conninfo.find_first_of("/?", begin) - begin);
    if (const auto at = authority.rfind('@'); at != std::string::npos)
      return authority.substr(0, std::min(authority.find(':'), at));
    const auto in_query = conninfo.find("user=", conninfo.find('?'));
    if (conninfo.find('?') == std::string::npos || in_query == std::string::npos) return "";
    return conninfo.substr(in_query + 5, conninfo.find('&', in_query) - in_query - 5);
  }
  for (std::size_t at = conninfo.find("user"); at != std::string::npos; at = conninfo.find("user", at + 1)) {
    if (at > 0 && conninfo[at - 1] != ' ') continue;
    auto value = conninfo.find_first_not_of(' ', at + 4);
    if (value == std::string::npos || conninfo[value] != '=') continue;
    value = conninfo.find_first_not_of(' ', value + 1);
    if (value == std::string::npos) return "";
    const bool quoted = conninfo[value] == '\'';
    if (quoted) ++value;
    return conninfo.substr(value, conninfo.find(quoted ? '\'' : ' ', value) - value);
  }
  return "";
}

}  // namespace strata::cli
