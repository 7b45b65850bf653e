#include "cli/safekeeper_table.hpp"

#include <algorithm>
#include <csignal>

#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "console/safekeeper_json.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;

/// A process that is stopped or busy must not hold up the picture of the others.
constexpr std::chrono::seconds patience{3};

core::lsn lsn_in(const json& of, const char* member) {
  const auto parsed = core::parse_lsn(of.value(member, "0/0"));
  return parsed ? *parsed : core::lsn();
}

const safekeeper_view* find(const std::vector<safekeeper_view>& all, std::uint64_t id) {
  const auto at = std::find_if(all.begin(), all.end(), [id](const auto& each) { return each.id == id; });
  return at == all.end() ? nullptr : &*at;
}

quorum_view::row row_of(const json& timeline, std::uint64_t id) {
  const std::string trouble = timeline.value("trouble", "");
  return {.id = id,
          .term = timeline.value("acceptor_state", json::object()).value("term", std::uint64_t{0}),
          .flush_lsn = lsn_in(timeline, "flush_lsn"),
          .commit_lsn = lsn_in(timeline, "commit_lsn"),
          .backup_lsn = lsn_in(timeline, "backup_lsn"),
          .state = timeline.value("state", "") + (trouble.empty() ? "" : ": " + trouble)};
}

std::string name_of(const quorum_view& timeline, const std::vector<branch_entry>& branches) {
  for (const auto& each : branches)
    if (each.id == timeline.timeline_id && each.source.id == timeline.tenant_id)
      return each.source.name + "/" + each.name;
  return timeline.tenant_id + "/" + timeline.timeline_id;
}

const json* timeline_on(const safekeeper_view& of, const std::string& tenant, const std::string& timeline) {
  for (const json& each : of.timelines)
    if (each.value("tenant_id", "") == tenant && each.value("timeline_id", "") == timeline) return &each;
  return nullptr;
}

/// "safekeeper 2 is down", "safekeepers 1, 2 are down"; nothing for nobody.
std::string said_of(const std::vector<std::uint64_t>& some, const char* of_one, const char* of_several) {
  std::string ids;
  for (const auto id : some) ids += (ids.empty() ? "" : ", ") + std::to_string(id);
  if (some.empty()) return "";
  return (some.size() == 1 ? "safekeeper " + ids + " " + of_one : "safekeepers " + ids + " " + of_several);
}

quorum_health health_of(const consensus::configuration& quorum, const std::vector<safekeeper_view>& all,
                        const std::vector<std::uint64_t>& lacking) {
  std::vector<std::uint64_t> down;
  const auto members = quorum.all();
  for (const auto& each : members)
    if (const auto* view = find(all, each.id.value); view == nullptr || !view->up()) down.push_back(each.id.value);
  const auto in = [](const std::vector<std::uint64_t>& some, std::uint64_t id) {
    return std::find(some.begin(), some.end(), id) != some.end();
  };
  quorum_health health{.can_lose = quorum.can_lose(
                           [&](consensus::node_id id) { return !in(down, id.value) && !in(lacking, id.value); })};
  std::string why = said_of(down, "is down", "are down");
  if (const std::string lack = said_of(lacking, "has not got it", "have not got it"); !lack.empty())
    why += (why.empty() ? "" : ", ") + lack;
  if (health.can_lose > 0)
    health.text = "can lose " + std::to_string(health.can_lose) +
                  (health.can_lose == 1 ? " safekeeper" : " safekeepers") + (why.empty() ? "" : "; " + why);
  else if (health.can_lose == 0)
    health.text = "can lose none: " + (why.empty() ? "they are too few for more" : why);
  else
    health.text = "no quorum: commits wait (" + std::to_string(members.size() - down.size()) + " of " +
                  std::to_string(members.size()) + " up" + (lacking.empty() ? "" : "; " + why) + ")";
  return health;
}

/// How a member that has lost a branch, or never got it, is replaced.
void print_cures(const quorum_view& of, const std::string& branch, const std::vector<safekeeper_view>& all) {
  if (of.lacking.empty()) return;
  std::string spare = "ID";
  for (const auto& each : all)
    if (each.up() && !of.members.contains(consensus::node_id{each.id})) spare = std::to_string(each.id);
  print(said_of(of.lacking, "has", "have") + " not got " + branch +
        ": emptied since, or not there when the branch was given to it");
  for (const auto id : of.lacking)
    print("next: strata safekeeper replace " + branch + " --from " + std::to_string(id) + " --to " + spare +
          (spare == "ID" ? "  (strata down; strata up --detach --safekeepers N adds one)" : ""));
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
      view.trouble = "does not run";
    } else if (!file || file->pid != view.process) {
      view.trouble = "is starting";
    } else if (auto timelines = console::api_client(view.http, patience).get("/v1/tenant/timeline"); !timelines) {
      view.trouble = "does not answer: " + timelines.error().detail;
    } else {
      view.timelines = *std::move(timelines);
    }
    all.push_back(std::move(view));
  }
  return all;
}

std::vector<quorum_view> view_quorums(const std::vector<safekeeper_view>& all) {
  // The newest configuration that anybody has is the one that counts.
  std::map<std::pair<std::string, std::string>, quorum_view> found;
  for (const auto& each : all)
    for (const json& timeline : each.timelines) {
      auto members = console::parse_configuration(timeline.value("mconf", json()), "mconf");
      if (!members) continue;
      auto& view = found[{timeline.value("tenant_id", ""), timeline.value("timeline_id", "")}];
      if (members->generation >= view.members.generation) view.members = *std::move(members);
    }
  std::vector<quorum_view> quorums;
  for (auto& [key, view] : found) {
    view.tenant_id = key.first;
    view.timeline_id = key.second;
    core::lsn furthest;
    for (const auto& member : view.members.all()) {
      const auto* keeper = find(all, member.id.value);
      quorum_view::row row{.id = member.id.value, .state = "down"};
      if (keeper != nullptr && keeper->up()) {
        if (const json* timeline = timeline_on(*keeper, key.first, key.second)) {
          row = row_of(*timeline, row.id);
        } else {
          row.state = "has not got it";
          view.lacking.push_back(row.id);
        }
      }
      furthest = std::max(furthest, row.flush_lsn);
      view.rows.push_back(std::move(row));
    }
    for (auto& row : view.rows) row.lag_bytes = furthest - row.flush_lsn;
    view.health = health_of(view.members, all, view.lacking);
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
  for (const auto& each : all) everybody.members.push_back({consensus::node_id{each.id}, "", 0});
  return health_of(everybody, all, {});
}

void print_safekeepers(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches) {
  const auto quorums = view_quorums(all);
  table processes({"SAFEKEEPER", "STATE", "PROCESS", "WAL", "HTTP", "TIMELINES"});
  for (const auto& each : all)
    processes.add({std::to_string(each.id), each.up() ? "up" : "down: it " + each.trouble,
                   each.process > 0 ? std::to_string(each.process) : "-", each.wal, each.http,
                   each.up() ? std::to_string(each.timelines.size()) : "-"});
  processes.print();
  if (!quorums.empty()) {
    print(std::string());
    table timelines({"BRANCH", "SAFEKEEPER", "STATE", "TERM", "FLUSH", "COMMIT", "LAG", "BACKUP", "QUORUM"});
    for (const auto& each : quorums) {
      std::string name = name_of(each, branches);
      std::string health = each.health.text;
      for (const auto& row : each.rows) {
        timelines.add({name, std::to_string(row.id), row.state, std::to_string(row.term),
                       core::to_string(row.flush_lsn), core::to_string(row.commit_lsn),
                       config::size_text(row.lag_bytes), core::to_string(row.backup_lsn), health});
        name.clear();
        health.clear();
      }
    }
    timelines.print();
  }
  print(std::string());
  print(cluster_health(all, quorums).text);
  for (const auto& each : quorums) print_cures(each, name_of(each, branches), all);
}

json safekeepers_json(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches) {
  const auto quorums = view_quorums(all);
  json processes = json::array();
  for (const auto& each : all)
    processes.push_back({{"id", each.id},
                         {"state", each.up() ? "up" : "down"},
                         {"trouble", each.trouble},
                         {"pid", each.process},
                         {"wal", each.wal},
                         {"http", each.http},
                         {"timelines", each.timelines.size()}});
  json timelines = json::array();
  for (const auto& each : quorums) {
    json rows = json::array();
    for (const auto& row : each.rows)
      rows.push_back({{"id", row.id},
                      {"state", row.state},
                      {"term", row.term},
                      {"flush_lsn", core::to_string(row.flush_lsn)},
                      {"commit_lsn", core::to_string(row.commit_lsn)},
                      {"backup_lsn", core::to_string(row.backup_lsn)},
                      {"lag_bytes", row.lag_bytes}});
    timelines.push_back({{"tenant_id", each.tenant_id},
                         {"timeline_id", each.timeline_id},
                         {"branch", name_of(each, branches)},
                         {"mconf", console::configuration_json(each.members)},
                         {"can_lose", each.health.can_lose},
                         {"health", each.health.text},
                         {"lacking", each.lacking},
                         {"safekeepers", rows}});
  }
  const auto health = cluster_health(all, quorums);
  return {{"safekeepers", processes}, {"timelines", timelines}, {"can_lose", health.can_lose}, {"health", health.text}};
}

}  // namespace strata::cli
