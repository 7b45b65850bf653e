#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/branches.hpp"
#include "control/quorum_health.hpp"
#include "control/safekeeper_file.hpp"

namespace strata::control {

/// A safekeeper of a server's directory, as it answered now.
struct safekeeper_view {
  std::uint64_t id = 0;
  pid_t process = 0;  ///< 0: none runs
  std::string wal;
  std::string http;
  std::string last_error;                              ///< why it counts as down; empty: it is up
  nlohmann::json timelines = nlohmann::json::array();  ///< GET /v1/tenant/timeline
  bool disk_full = false;                              ///< it takes no WAL
  /// Why the proposers do not reach it at an address by which a configuration names it.
  std::map<std::string, std::string> unreachable;

  [[nodiscard]] bool up() const { return last_error.empty(); }
};

/// Asks all of them; one that does not answer within seconds is down. Those that are up are looked for where their
/// timelines' configurations name them, as a proposer does.
std::vector<safekeeper_view> view_safekeepers(const std::string& server_directory);

/// One timeline over its members. Lag: how far a member's durable WAL is behind the furthest one's.
struct quorum_view {
  std::string tenant_id;
  std::string timeline_id;
  consensus::configuration members;
  quorum_health health;
  struct row {
    std::uint64_t id = 0;
    bool known = false;  ///< it was asked: without that there are no numbers
    std::uint64_t term = 0;
    core::lsn flush_lsn;
    core::lsn commit_lsn;
    core::lsn backup_lsn;
    std::uint64_t lag_bytes = 0;
    std::string state;  ///< "active", "down", "missing", "disk full", ...
  };
  std::vector<row> rows;
  std::vector<std::uint64_t> lacking;  ///< members that are up without it
};
/// Of the timelines that any of them has, and of the branches that the server has given safekeepers: nobody may have
/// one any more.
std::vector<quorum_view> view_quorums(const std::vector<safekeeper_view>& all,
                                      const std::vector<branch_entry>& branches);

/// Of the cluster: that of the timeline that can lose fewest, or, without timelines, of all safekeepers together.
quorum_health cluster_health(const std::vector<safekeeper_view>& all, const std::vector<quorum_view>& quorums);

/// "shop/dev", or the ids if it is missing from `branches`.
std::string name_of(const quorum_view& timeline, const std::vector<branch_entry>& branches);
/// For programs.
nlohmann::json safekeepers_json(const std::vector<safekeeper_view>& all, const std::vector<branch_entry>& branches);

}  // namespace strata::control
