#include "control/safekeeper_views.hpp"

#include <algorithm>
#include <csignal>
#include <set>

#include "api/safekeeper_json.hpp"
#include "config/quantity.hpp"
#include "control/safekeeper_addresses.hpp"
#include "control/safekeeper_probe.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

/// A process that is stopped or busy must not delay the view of the others.
constexpr std::chrono::seconds probe_limit{3};

core::lsn lsn_in(const json& of, const char* member) {
  const auto parsed = core::parse_lsn(of.value(member, "0/0"));
  return parsed ? *parsed : core::lsn();
}

const safekeeper_view* find(const std::vector<safekeeper_view>& all, std::uint64_t id) {
  const auto at = std::find_if(all.begin(), all.end(), [id](const auto& each) { return each.id == id; });
  return at == all.end() ? nullptr : &*at;
}

quorum_view::row row_of(const json& timeline, std::uint64_t id) {
  const std::string last_error = timeline.value("last_error", "");
  return {.id = id,
          .known = true,
          .term = timeline.value("acceptor_state", json::object()).value("term", std::uint64_t{0}),
          .flush_lsn = lsn_in(timeline, "flush_lsn"),
          .commit_lsn = lsn_in(timeline, "commit_lsn"),
          .backup_lsn = lsn_in(timeline, "backup_lsn"),
          .state = timeline.value("state", "") + (last_error.empty() ? "" : ": " + last_error)};
}

const json* timeline_on(const safekeeper_view& of, const std::string& tenant, const std::string& timeline) {
  for (const json& each : of.timelines)
    if (each.value("tenant_id", "") == tenant && each.value("timeline_id", "") == timeline) return &each;
  return nullptr;
}

/// "127.0.0.1:4711"
std::string address_of(const consensus::member& of) { return of.host + ":" + std::to_string(of.port); }

/// `failure`: what keeps it from voting and writing.
quorum_view::row row_for(const consensus::member& member, const safekeeper_view* keeper, const json* timeline,
                         member_failure& failure) {
  quorum_view::row row{.id = member.id.value, .state = "down"};
  failure = member_failure::down;
  if (keeper == nullptr || !keeper->up()) return row;
  if (timeline == nullptr) {
    failure = member_failure::lacks;
    row.state = "missing";
    return row;
  }
  row = row_of(*timeline, row.id);
  const std::string condition = timeline->value("state", "");
  const auto unreachable = keeper->unreachable.find(address_of(member));
  if (condition != "active" && condition != "idle") {
    failure = member_failure::broken;
  } else if (keeper->disk_full) {
    failure = member_failure::full;
    row.state += "; disk full";
  } else if (unreachable != keeper->unreachable.end()) {
    failure = member_failure::unreachable;
    row.state += "; unreachable at " + address_of(member) + ": " + unreachable->second;
  } else {
    failure = member_failure::none;
  }
  return row;
}

/// Fills in what one that runs says of itself.
void ask(safekeeper_view& view) {
  const api::api_client api(view.http, probe_limit);
  const auto status = api.get("/v1/status");
  if (!status) {
    view.last_error = "not responding: " + status.error().detail;
    return;
  }
  if (status->value("id", std::uint64_t{0}) != view.id || status->value("pid", 0) != view.process) {
    view.last_error = "not responding: another process listens on " + view.http;
    return;
  }
  auto timelines = api.get("/v1/tenant/timeline");
  const auto disk = api.get("/v1/utilization");
  if (!timelines || !disk) {
    view.last_error = "not responding: " + (timelines ? disk.error().detail : timelines.error().detail);
    return;
  }
  view.timelines = *std::move(timelines);
  view.disk_full = disk->value("free_bytes", std::uint64_t{0}) <= disk->value("reserve_bytes", std::uint64_t{0});
}

/// Each at every address by which a timeline's configuration names it, once.
void look_where_members_are(const std::string& server_directory, std::vector<safekeeper_view>& all) {
  std::map<std::uint64_t, std::set<std::string>> seen;
  for (const auto& each : all)
    for (const json& timeline : each.timelines) {
      const auto members = api::parse_configuration(timeline.value("mconf", json()), "mconf");
      if (!members) continue;
      for (const auto& member : members->all()) {
        const auto view = std::ranges::find(all, member.id.value, &safekeeper_view::id);
        if (view == all.end() || !view->up() || !seen[view->id].insert(address_of(member)).second) continue;
        const auto at = locate_safekeeper(server_directory, member);
        const auto reached = at ? check_wal_service(*at, probe_limit) : core::result<void>(at.error());
        if (!reached) view->unreachable[address_of(member)] = reached.error().detail;
      }
    }
}

}  // namespace

std::vector<safekeeper_view> view_safekeepers(const std::string& server_directory) {
  std::vector<safekeeper_view> all;
  for (const auto id : known_safekeepers(server_directory)) {
    safekeeper_view view{.id = id, .process = safekeeper_process(server_directory, id).value_or(0)};
    const auto file = read_safekeeper_file(safekeeper_directory(server_directory, id));
    if (file) {
      view.wal = file->wal;
      view.http = file->http;
    }
    if (view.process == 0) {
      view.last_error = "not running";
      if (!file && file.error().code != core::errc::not_found) view.last_error += ": " + file.error().detail;
    } else if (!file || file->pid != view.process) {
      view.last_error = "starting";
    } else {
      ask(view);
    }
    all.push_back(std::move(view));
  }
  look_where_members_are(server_directory, all);
  return all;
}

std::vector<quorum_view> view_quorums(const std::vector<safekeeper_view>& all,
                                      const std::vector<branch_entry>& branches) {
  // The newest configuration that anybody has is the one that counts.
  std::map<std::pair<std::string, std::string>, quorum_view> found;
  for (const auto& each : all)
    for (const json& timeline : each.timelines) {
      auto members = api::parse_configuration(timeline.value("mconf", json()), "mconf");
      if (!members) continue;
      auto& view = found[{timeline.value("tenant_id", ""), timeline.value("timeline_id", "")}];
      if (members->generation >= view.members.generation) view.members = *std::move(members);
    }
  for (const auto& each : branches) {
    if (!each.info.contains("safekeepers")) continue;
    auto members = api::parse_configuration(each.info["safekeepers"], "safekeepers");
    if (!members) continue;
    auto& view = found[{each.source.id, each.id}];
    if (members->generation > view.members.generation) view.members = *std::move(members);
  }
  std::vector<quorum_view> quorums;
  for (auto& [key, view] : found) {
    view.tenant_id = key.first;
    view.timeline_id = key.second;
    core::lsn furthest;
    std::vector<member_state> members;
    for (const auto& member : view.members.all()) {
      const auto* keeper = find(all, member.id.value);
      const json* timeline = keeper != nullptr ? timeline_on(*keeper, key.first, key.second) : nullptr;
      auto& state = members.emplace_back(member_state{.id = member.id.value});
      auto row = row_for(member, keeper, timeline, state.failure);
      if (state.failure == member_failure::lacks) view.lacking.push_back(row.id);
      furthest = std::max(furthest, row.flush_lsn);
      view.rows.push_back(std::move(row));
    }
    for (auto& row : view.rows) row.lag_bytes = furthest - row.flush_lsn;
    view.health = health_of(view.members, members);
    quorums.push_back(std::move(view));
  }
  return quorums;
}

quorum_health cluster_health(const std::vector<safekeeper_view>& all, const std::vector<quorum_view>& quorums) {
  const auto worst = std::min_element(quorums.begin(), quorums.end(), [](const auto& a, const auto& b) {
    return a.health.can_lose < b.health.can_lose;
  });
  if (worst != quorums.end()) return worst->health;
  consensus::configuration everybody{.generation = 1};
  std::vector<member_state> members;
  for (const auto& each : all) {
    everybody.members.push_back({consensus::node_id{each.id}, "", 0});
    members.push_back({each.id, !each.up()       ? member_failure::down
                                : each.disk_full ? member_failure::full
                                                 : member_failure::none});
  }
  return health_of(everybody, members);
}

std::string name_of(const quorum_view& timeline, const std::vector<branch_entry>& branches) {
  for (const auto& each : branches)
    if (each.id == timeline.timeline_id && each.source.id == timeline.tenant_id)
      return each.source.name + "/" + each.name;
  return timeline.tenant_id + "/" + timeline.timeline_id;
}

json safekeepers_json(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches) {
  const auto quorums = view_quorums(all, branches);
  json processes = json::array();
  for (const auto& each : all)
    processes.push_back({{"id", each.id},
                         {"state", each.up() ? "up" : "down"},
                         {"last_error", each.last_error},
                         {"disk_full", each.disk_full},
                         {"unreachable", each.unreachable},
                         {"pid", each.process},
                         {"wal", each.wal},
                         {"http", each.http},
                         {"timelines", each.timelines.size()}});
  json timelines = json::array();
  for (const auto& each : quorums) {
    json rows = json::array();
    for (const auto& row : each.rows) {
      json& made = rows.emplace_back(json{{"id", row.id}, {"state", row.state}});
      if (!row.known) continue;
      made["term"] = row.term;
      made["flush_lsn"] = core::to_string(row.flush_lsn);
      made["commit_lsn"] = core::to_string(row.commit_lsn);
      made["backup_lsn"] = core::to_string(row.backup_lsn);
      made["lag_bytes"] = row.lag_bytes;
    }
    timelines.push_back({{"tenant_id", each.tenant_id},
                         {"timeline_id", each.timeline_id},
                         {"branch", name_of(each, branches)},
                         {"mconf", api::configuration_json(each.members)},
                         {"can_lose", each.health.can_lose},
                         {"health", each.health.text},
                         {"lacking", each.lacking},
                         {"safekeepers", rows}});
  }
  const auto health = cluster_health(all, quorums);
  return {{"safekeepers", processes}, {"timelines", timelines}, {"can_lose", health.can_lose}, {"health", health.text}};
}

}  // namespace strata::control
