#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::host {

/// Where the agent of a compute stands. The last three are final: the agent ends with them.
///
///   waiting_for_quorum -> waiting_for_pageserver -> restoring -> starting -> running -> stopping -> stopped
///           ^------------- Postgres has ended ---------------------------------'    or failed, superseded
enum class agent_state : std::uint8_t {
  waiting_for_quorum,
  waiting_for_pageserver,
  restoring,
  starting,
  running,
  stopping,
  stopped,
  failed,
  superseded,  ///< a newer compute writes the branch
};
/// As in the file: "waiting_for_quorum".
const char* to_string(agent_state of);
constexpr bool is_final(agent_state of) { return of >= agent_state::stopped; }

/// What an agent says of itself: <server directory>/computes/<name>/compute-agent.json (docs/formats/directory.md).
struct agent_status {
  struct safekeeper {
    std::uint64_t id = 0;
    std::string address;
    std::string state;  ///< "streaming", "away: why"
    core::lsn flush_lsn;
    bool operator==(const safekeeper&) const = default;
  };
  /// What has been done to fill in a data directory (page_files::fill_counts).
  struct fill_work {
    std::uint64_t accesses = 0;
    std::uint64_t accesses_waited = 0;
    std::uint64_t accesses_denied = 0;
    std::uint64_t accesses_taken_over = 0;
    std::uint64_t pages_filled = 0;
    std::uint64_t files_completed = 0;
    std::uint64_t fetches = 0;
    std::uint64_t fetches_failed = 0;
    std::uint64_t waiting = 0;
    bool operator==(const fill_work&) const = default;
  };
  /// Of a data directory that is filled in.
  struct page_counts {
    std::uint64_t total = 0;  ///< 0: a copy, or no directory yet
    std::uint64_t missing = 0;
    bool complete = false;       ///< and native files need no filler any more
    std::string waits;           ///< why readers wait for longer than usual; empty: they don't
    std::uint32_t fillers = 0;   ///< how many processes have filled it, one after the other
    pid_t filler = 0;            ///< the one that does now; 0: none
    std::string filler_state{};  ///< "starting", "running", "restarting", "ending", "none"
    fill_work work{};
    bool operator==(const page_counts&) const = default;
  };
  /// Of a standby.
  struct replay {
    std::string upstream;  ///< "safekeeper 2": whose WAL it gets; empty: nobody's
    core::lsn head_lsn;    ///< end of the branch, as far as known
    core::lsn received_lsn;
    core::lsn replayed_lsn;
    /// Behind the head; unknown while one of the two ends is.
    std::optional<std::uint64_t> lag_bytes;
    std::optional<std::chrono::milliseconds> lag;  ///< how long the oldest WAL that is not replayed is known
    bool operator==(const replay&) const = default;
  };
  pid_t pid = 0;
  core::tenant_id tenant_id;  ///< which branch it writes: known here, too, when compute.json is damaged
  core::timeline_id timeline_id;
  std::string branch;  ///< "shop/dev", for people
  agent_state state = agent_state::waiting_for_quorum;
  std::string detail;  ///< for people; empty when there is nothing to say
  std::uint64_t term = 0;
  std::uint32_t generation = 0;
  core::lsn start_lsn;    ///< where this life of Postgres began
  core::lsn written_lsn;  ///< received from Postgres
  core::lsn commit_lsn;   ///< a quorum has it
  core::lsn applied_lsn;  ///< the pageserver has it
  bool has_quorum = false;
  std::uint64_t restored_bytes = 0;
  std::uint32_t incarnations = 0;  ///< times that Postgres was started
  std::uint16_t port = 0;
  core::wall_time since{};  ///< of the state
  /// How long this incarnation took for each state before running, in their order.
  std::array<std::chrono::microseconds, static_cast<std::size_t>(agent_state::running)> steps{};
  std::chrono::microseconds config{};  ///< the part of the last `starting` in which settings were written
  std::uint16_t control_port = 0;      ///< HTTP, on loopback: control endpoints (docs/control_endpoints.md)
  std::vector<safekeeper> safekeepers;
  page_counts pages;
  bool logical_wal = false;          ///< not in the file
  std::vector<std::string> notes{};  ///< for people: what of the branch's settings is not used, and why
  std::optional<replay> standby;
  core::wall_time lag_as_of{};  ///< of a standby: when its lag was this; the agent writes it every second
  bool operator==(const agent_status&) const = default;
};

/// A lag is shown no longer than this after it was written: its agent may be stopped, or dead.
inline constexpr std::chrono::seconds lag_age_max{3};
/// Makes the lag of a standby unknown if it is older than lag_age_max, or from the future.
void forget_old_lag(agent_status& of, core::wall_time now);

/// The members, with their names in JSON.
inline constexpr std::array<std::pair<const char*, std::uint64_t agent_status::fill_work::*>, 9> fill_work_members{{
    {"accesses", &agent_status::fill_work::accesses},
    {"accesses_waited", &agent_status::fill_work::accesses_waited},
    {"accesses_denied", &agent_status::fill_work::accesses_denied},
    {"accesses_taken_over", &agent_status::fill_work::accesses_taken_over},
    {"pages_filled", &agent_status::fill_work::pages_filled},
    {"files_completed", &agent_status::fill_work::files_completed},
    {"fetches", &agent_status::fill_work::fetches},
    {"fetches_failed", &agent_status::fill_work::fetches_failed},
    {"waiting", &agent_status::fill_work::waiting},
}};

/// As in the file, and in what commands print: null for what is not known.
nlohmann::json to_json(const agent_status::replay& of);

/// The whole file or the one before is there afterwards.
core::result<void> save_status(const std::string& directory, const agent_status& of);
/// errc::not_found when no agent ever ran there.
core::result<agent_status> load_status(const std::string& directory);

}  // namespace strata::host
