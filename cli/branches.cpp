#include "cli/branches.hpp"

#include <poll.h>

#include "cli/failure.hpp"
#include "cli/pick.hpp"
#include "cli/terminal.hpp"
#include "config/suggest.hpp"
#include "config/time_text.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::chrono::seconds catch_up_limit{10};
/// For WAL that the source or the safekeepers are known to have.
constexpr std::chrono::milliseconds arrival_limit{60'000};
/// For what was written after they told how far they are.
constexpr std::chrono::milliseconds news_limit{1'000};
constexpr int look_interval_ms = 50;

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
    throw failure(exit_code::usage, "invalid_argument", "\"" + wanted + "\" is ambiguous",
                  std::to_string(found.candidates.size()) + " " + kind + " begin so: " + joined(found.candidates),
                  "write more of the name; " + list);
  throw failure(exit_code::not_found, "not_found", "there is no " + what, why_not_found(all, wanted, kind), list);
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

std::optional<core::wall_time> earliest_in(const json& found) {
  const auto time = config::parse_iso_time(found.value("earliest", ""), config::default_zone::utc);
  // The next whole second: times are shown without fractions, and one before the earliest is refused.
  return time ? std::optional<core::wall_time>(std::chrono::ceil<std::chrono::seconds>(*time)) : std::nullopt;
}

/// The LSN at which records that begin at `at` end, when `at` is right behind the header of a WAL page.
core::lsn without_page_header(core::lsn at) {
  constexpr std::uint64_t page = 8192;
  constexpr std::uint64_t header = 24;
  constexpr std::uint64_t long_header = 40;
  const std::uint64_t inside = at.value % page;
  return inside == header || inside == long_header ? at - inside : at;
}

/// Waits for WAL that is known to be on its way, and a moment for what its writer may not have told of yet. Fails at
/// once for what nobody has written.
void wait_until_written(const server_link& server, const branch_entry& branch, core::lsn at, bool quiet) {
  const core::lsn wanted = without_page_header(at);
  const std::string what = "can't find " + branch.name + "@" + core::to_string(at);
  const std::string next = "strata branch show " + branch.source.name + "/" + branch.name;
  const auto begun = std::chrono::steady_clock::now();
  json info = branch.info;
  progress line(quiet);
  for (;;) {
    const core::lsn last = lsn_of(info, "last_record_lsn");
    if (wanted <= last) return;
    core::lsn head;
    if (info.contains("source")) head = lsn_of(info["source"], "source_head_lsn");
    if (info.contains("receiver")) head = lsn_of(info["receiver"], "head_lsn");
    const bool receives = info.contains("source") || info.contains("receiver");
    const std::chrono::milliseconds limit = wanted <= head ? arrival_limit : receives ? news_limit : 0ms;
    if (std::chrono::steady_clock::now() - begun >= limit) {
      line.end();
      if (wanted <= head)
        throw failure(
            exit_code::unreachable, "timeout", what,
            "it is written but has not arrived: " + branch.name + " has everything up to " + core::to_string(last),
            next);
      throw failure(exit_code::failure, "out_of_range", what,
                    "it is after the head: " + branch.name + " can be read from " +
                        info.value("readable_from_lsn", "") + " to " + core::to_string(last),
                    next);
    }
    line.show("waiting for WAL", core::to_string(last) + " of " + core::to_string(at));
    ::poll(nullptr, 0, look_interval_ms);
    info = need(server.api().get(branch.path()), "lost sight of " + branch.name, "strata branch list");
  }
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
  const auto earliest = earliest_in(found);
  const std::string window = (earliest ? "the earliest time in its history is " + config::local_text(*earliest) + "; "
                                       : std::string("its history does not go back that far: ")) +
                             window_of(branch);
  // Before the window only a lease keeps an LSN readable, and who has one names the LSN.
  if (kind == "present" && earliest) throw failure(exit_code::failure, "out_of_range", what, window, next);
  if (kind == "present") return {lsn_of(found, "lsn"), time};
  // Nothing was committed since: the branch is as it was then.
  if (kind == "future") return {lsn_of(info, "last_record_lsn"), time};
  throw failure(exit_code::failure, "out_of_range", what,
                kind == "past" ? window : "no transaction is known in its history: " + window_of(branch), next);
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
  for (const json& each : need(server.api().get("/v1/tenant"), "can't list the sources"))
    all.push_back({each.value("id", ""), each.value("name", "")});
  return all;
}

std::vector<branch_entry> list_branches(const server_link& server, const std::string& source) {
  std::vector<source_entry> sources;
  if (source.empty())
    sources = list_sources(server);
  else
    sources.push_back(find_source(server, source));
  std::vector<branch_entry> all;
  for (const auto& each : sources)
    for (json& info :
         need(server.api().get("/v1/tenant/" + each.id + "/timeline"), "can't list the branches of " + each.name))
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
  return chosen(all, name, "source \"" + name + "\"", "sources", "strata source list");
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
  return chosen(all, spec.branch, "branch \"" + spec.branch + "\" of " + source.name, "branches", "strata branch list");
}

resolved_point resolve(const server_link& server, const branch_entry& branch, const config::branch_point& point) {
  if (branch.state() != "Active")
    throw failure(exit_code::unreachable, "unavailable", branch.name + " can't be read now",
                  "its state is " + branch.state(), "strata branch show " + branch.source.name + "/" + branch.name);
  if (const auto* time = std::get_if<core::wall_time>(&point)) return resolve_time(server, branch, *time);
  const auto* given = std::get_if<core::lsn>(&point);
  if (given != nullptr) wait_until_written(server, branch, *given, !talk_is_terminal());
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

std::optional<core::wall_time> earliest_time(const server_link& server, const branch_entry& branch) {
  if (branch.state() != "Active") return std::nullopt;
  const auto found = server.api().get(branch.path() + "/get_lsn_by_timestamp", {{"timestamp", "1970-01-01T00:00:00Z"}});
  return found ? earliest_in(*found) : std::nullopt;
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
    const branch_entry* parent = pick(all, at->text("ancestor_timeline_id")).entry;
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
