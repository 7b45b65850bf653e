#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consensus/membership.hpp"
#include "consensus/quorum_health.hpp"
#include "consensus/term.hpp"
#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/instance_id.hpp"

/// The safekeepers of a cluster and the quorums that they form, computed from what an observer found. GET /v1/cluster
/// and the commands use this computation; there is no second one.
namespace strata::consensus {

// -- what an observer found -------------------------------------------------------------------------------------------

/// Only a safekeeper that answered is `up`: whatever is unknown counts as a failure.
enum class safekeeper_state : std::uint8_t {
  unreachable,  ///< a process has its directory, and no answer of that process arrived
  down,         ///< no process has its directory
  starting,     ///< a process has its directory and has not published its addresses
  up,           ///< it answered
};
std::string_view to_string(safekeeper_state state);
std::optional<safekeeper_state> parse_safekeeper_state(std::string_view text);

/// "127.0.0.1:4711"
std::string address_of(const member& of);

struct safekeeper_status {
  node_id id;
  safekeeper_state state = safekeeper_state::unreachable;
  std::string last_error;                      ///< why it is not up
  std::optional<core::wall_time> since;        ///< the first look that found this state of this process, and no other
  std::optional<core::wall_time> last_answer;  ///< absent: none since the observer started
  std::int64_t process = 0;                    ///< 0: none
  core::instance_id instance;                  ///< of its directory; not valid: unknown
  std::string wal_address;                     ///< host:port; empty: never published
  std::string http_address;                    ///< likewise
  // Unknown unless it is up.
  std::optional<bool> disk_full;  ///< it takes no WAL
  std::optional<std::uint64_t> timelines;
  /// Why proposers do not reach it, by the address that a configuration names: address_of().
  std::map<std::string, std::string> unreachable_at;

  [[nodiscard]] bool up() const { return state == safekeeper_state::up; }
};

/// A timeline as a safekeeper reports it.
struct timeline_copy {
  core::timeline_key of;
  configuration members;  ///< generation 0: the copy has none that can be read
  term in;
  core::lsn flush_lsn;
  core::lsn commit_lsn;
  core::lsn backup_lsn;
  bool usable = false;  ///< it can be read and written
  std::string state;    ///< "active", "idle", "broken: why", with the last error
};

struct observed_safekeeper {
  safekeeper_status status;
  std::vector<timeline_copy> copies;  ///< empty unless it is up
};

/// A branch as the server has it.
struct observed_branch {
  core::timeline_key of;
  std::string name;  ///< "shop/dev"
  std::optional<configuration> members;
};
/// A source whose branches the server could not list.
struct unlisted_source {
  core::tenant_id tenant;
  std::string name;
  std::string why;
};

/// Since when each safekeeper is in its state, and when it last answered, over all looks of one observer. A new
/// process, or an emptied directory, is another safekeeper in the place of the one that was there: its state begins
/// anew.
class observation_times {
 public:
  /// Fills in `since` and `last_answer`.
  void note(core::wall_time at, std::vector<observed_safekeeper>& seen);

 private:
  struct times {
    safekeeper_state state;
    std::int64_t process;
    core::instance_id instance;
    core::wall_time since;
    std::optional<core::wall_time> last_answer;
  };
  std::map<node_id, times> known_;
};

// -- the view ---------------------------------------------------------------------------------------------------------

/// One timeline over its members.
struct quorum_view {
  struct positions {
    term in;
    core::lsn flush_lsn;
    core::lsn commit_lsn;
    core::lsn backup_lsn;
    std::uint64_t lag_bytes = 0;  ///< how far its durable WAL is behind the furthest one's
  };
  struct row {
    node_id id;
    std::string state;                  ///< that of its copy; "missing", "down", "unreachable", "unknown", ...
    std::optional<positions> reported;  ///< absent: unknown
  };
  core::timeline_key of;
  std::string branch;  ///< its name, or the ids if the server does not list it
  configuration members;
  quorum_health health;
  std::vector<row> rows;
  std::vector<std::uint64_t> lacking;  ///< members that are up without it
};

struct cluster_view {
  std::vector<safekeeper_status> safekeepers;
  std::vector<quorum_view> quorums;  ///< by tenant and timeline
  std::vector<unlisted_source> unlisted;
  /// That of the timeline that tolerates fewest failures; without timelines, of all safekeepers together.
  quorum_health health;
};

/// The quorums are those of the timelines that any safekeeper reports, and of the branches to which the server has
/// assigned safekeepers. Of several configurations the newest counts. A member that is not among `safekeepers` counts
/// as down.
cluster_view view_cluster(const std::vector<observed_safekeeper>& safekeepers,
                          const std::vector<observed_branch>& branches, std::vector<unlisted_source> unlisted);

}  // namespace strata::consensus
