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

quorum_health health_of(const consensus::configuration& quorum, const std::vector<safekeeper_view>& all) {
  const auto up = [&](consensus::node_id id) {
    const auto* view = find(all, id.value);
    return view != nullptr && view->up();
  };
  quorum_health health{.can_lose = quorum.can_lose(up)};
  const auto members = quorum.all();
  std::string down;
  std::size_t down_count = 0;
  for (const auto& each : members) {
    if (up(each.id)) continue;
    down += (down.empty() ? "" : ", ") + std::to_string(each.id.value);
    ++down_count;
  }
  const std::string who_is_down =
      (down_count == 1 ? "safekeeper " : "safekeepers ") + down + (down_count == 1 ? " is down" : " are down");
  if (health.can_lose > 0)
    health.text = "can lose " + std::to_string(health.can_lose) +
                  (health.can_lose == 1 ? " safekeeper" : " safekeepers") + (down.empty() ? "" : "; " + who_is_down);
  else if (health.can_lose == 0)
    health.text = "can lose none: " + (down.empty() ? "they are too few for more" : who_is_down);
  else
    health.text = "no quorum: commits wait (" + std::to_string(members.size() - down_count) + " of " +
                  std::to_string(members.size()) + " up)";
  return health;
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
    view.health = health_of(view.members, all);
    core::lsn furthest;
    for (const auto& member : view.members.all()) {
      const auto* keeper = find(all, member.id.value);
      quorum_view::row row{.id = member.id.value,
                           .state = keeper == nullptr || !keeper->up() ? "down" : "no such timeline"};
      if (keeper != nullptr)
        for (const json& timeline : keeper->timelines)
          if (timeline.value("tenant_id", "") == key.first && timeline.value("timeline_id", "") == key.second)
            row = row_of(timeline, row.id);
      furthest = std::max(furthest, row.flush_lsn);
      view.rows.push_back(std::move(row));
    }
    for (auto& row : view.rows) row.lag_bytes = furthest - row.flush_lsn;
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
  return health_of(everybody, all);
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
                         {"safekeepers", rows}});
  }
  const auto health = cluster_health(all, quorums);
  return {{"safekeepers", processes}, {"timelines", timelines}, {"can_lose", health.can_lose}, {"health", health.text}};
}

}  // namespace strata::cli
