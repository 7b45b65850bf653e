#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/branches.hpp"
#include "cli/safekeeper_file.hpp"

namespace strata::cli {

/// A safekeeper of a server's directory, as it answered now.
struct safekeeper_view {
  std::uint64_t id = 0;
  pid_t process = 0;  ///< 0: none runs
  std::string wal;
  std::string http;
  std::string trouble;                                 ///< why it counts as down; empty: it is up
  nlohmann::json timelines = nlohmann::json::array();  ///< GET /v1/tenant/timeline

  [[nodiscard]] bool up() const { return trouble.empty(); }
};

/// Asks all of them; one that does not answer within seconds is down.
std::vector<safekeeper_view> view_safekeepers(const std::string& server_directory);

/// What a quorum may still lose: configuration::can_lose, in words. Who is up without the timeline does not count.
struct quorum_health {
  int can_lose = -1;
  std::string text;  ///< "can lose 1 safekeeper", "can lose none: safekeeper 2 is down", ...
};

/// One timeline over its members. Lag: how far a member's durable WAL is behind the furthest one's.
struct quorum_view {
  std::string tenant_id;
  std::string timeline_id;
  consensus::configuration members;
  quorum_health health;
  struct row {
    std::uint64_t id = 0;
    std::uint64_t term = 0;
    core::lsn flush_lsn;
    core::lsn commit_lsn;
    core::lsn backup_lsn;
    std::uint64_t lag_bytes = 0;
    std::string state;  ///< "active", "down", "has not got it"
  };
  std::vector<row> rows;
  std::vector<std::uint64_t> lacking;  ///< members that are up without it
};
std::vector<quorum_view> view_quorums(const std::vector<safekeeper_view>& all);

/// Of the cluster: that of the timeline that can lose fewest, or, without timelines, of all safekeepers together.
quorum_health cluster_health(const std::vector<safekeeper_view>& all, const std::vector<quorum_view>& quorums);

/// Both tables. Timelines go by the names of `branches`, or by their ids where there is none.
void print_safekeepers(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches);
nlohmann::json safekeepers_json(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches);

}  // namespace strata::cli
