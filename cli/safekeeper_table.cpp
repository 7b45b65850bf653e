#include "cli/safekeeper_table.hpp"

#include "cli/terminal.hpp"
#include "config/quantity.hpp"

namespace strata::cli {

using namespace control;

namespace {

/// How a member that has lost a branch, or never got it, is replaced.
void print_cures(const quorum_view& of, const std::string& branch, const std::vector<safekeeper_view>& all) {
  if (of.lacking.empty()) return;
  std::string spare = "ID";
  for (const auto& each : all)
    if (each.up() && !of.members.contains(consensus::node_id{each.id})) spare = std::to_string(each.id);
  print(said_of(of.lacking, "is", "are") + " missing " + branch +
        ": the directory was emptied, or the safekeeper was down when the branch was created");
  for (const auto id : of.lacking)
    print("next: strata safekeeper replace " + branch + " --from " + std::to_string(id) + " --to " + spare +
          (spare == "ID" ? "  (strata down; strata up --detach --safekeepers N adds one)" : ""));
}

}  // namespace

void print_safekeepers(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches) {
  const auto quorums = view_quorums(all, branches);
  table processes({"SAFEKEEPER", "STATE", "PROCESS", "WAL", "HTTP", "TIMELINES"});
  for (const auto& each : all)
    processes.add({std::to_string(each.id),
                   each.up() ? each.disk_full ? "up, disk full" : "up" : "down: " + each.last_error,
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
        std::vector<std::string> cells{name, std::to_string(row.id), row.state};
        if (row.known)
          cells.insert(cells.end(),
                       {std::to_string(row.term), core::to_string(row.flush_lsn), core::to_string(row.commit_lsn),
                        config::size_text(row.lag_bytes), core::to_string(row.backup_lsn)});
        else
          cells.insert(cells.end(), 5, "-");
        cells.push_back(health);
        timelines.add(std::move(cells));
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

}  // namespace strata::cli
