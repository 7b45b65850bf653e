#include "cli/safekeeper_table.hpp"

#include "cli/terminal.hpp"
#include "config/quantity.hpp"

namespace strata::cli {

namespace {

using consensus::cluster_view;
using consensus::quorum_view;

/// How a member that has lost a branch, or never got it, is replaced.
void print_cures(const quorum_view& of, const cluster_view& in) {
  if (of.lacking.empty()) return;
  std::string spare = "ID";
  for (const auto& each : in.safekeepers)
    if (each.up() && !of.members.contains(each.id)) spare = consensus::to_string(each.id);
  print(consensus::said_of(of.lacking, "is", "are") + " missing " + of.branch +
        ": the directory was emptied, or the safekeeper was down when the branch was created");
  for (const auto id : of.lacking)
    print("next: strata safekeeper replace " + of.branch + " --from " + std::to_string(id) + " --to " + spare +
          (spare == "ID" ? "  (strata down; strata up --detach --safekeepers N adds one)" : ""));
}

}  // namespace

void print_safekeepers(const cluster_view& cluster) {
  table processes({"SAFEKEEPER", "STATE", "PROCESS", "WAL", "HTTP", "TIMELINES"});
  for (const auto& each : cluster.safekeepers)
    processes.add({consensus::to_string(each.id), control::short_state(each),
                   each.process > 0 ? std::to_string(each.process) : "-", each.wal_address, each.http_address,
                   each.timelines ? std::to_string(*each.timelines) : "-"});
  processes.print();
  for (const auto& line : control::reasons_of(cluster.safekeepers)) print(line);
  if (!cluster.quorums.empty()) {
    print(std::string());
    table timelines({"BRANCH", "SAFEKEEPER", "STATE", "TERM", "FLUSH", "COMMIT", "LAG", "BACKUP", "QUORUM"});
    for (const auto& each : cluster.quorums) {
      std::string name = each.branch;
      std::string health = each.health.text;
      for (const auto& row : each.rows) {
        std::vector<std::string> cells{name, consensus::to_string(row.id), control::short_state(row)};
        if (const auto& at = row.reported)
          cells.insert(cells.end(),
                       {consensus::to_string(at->in), core::to_string(at->flush_lsn), core::to_string(at->commit_lsn),
                        config::size_text(at->lag_bytes), core::to_string(at->backup_lsn)});
        else
          cells.insert(cells.end(), 5, "-");
        cells.push_back(health);
        timelines.add(std::move(cells));
        name.clear();
        health.clear();
      }
    }
    timelines.print();
    for (const auto& line : control::reasons_of(cluster.quorums)) print(line);
  }
  print(std::string());
  print(cluster.health.text);
  for (const auto& each : cluster.quorums) print_cures(each, cluster);
}

}  // namespace strata::cli
