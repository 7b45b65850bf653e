#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace strata::host {

/// The name under which an agent's own sessions show in pg_stat_activity.
inline constexpr const char* control_application = "strata_control";

/// What one look at a Postgres tells of its clients.
struct activity_sample {
  /// When its statistics were begun: counts of another epoch can't be compared.
  std::string epoch;
  std::int64_t sessions = 0;            ///< that clients have begun in all databases, ours among them
  std::int64_t databases = 0;           ///< that allow connections
  bool active = false;                  ///< a client runs a statement, or is in a transaction, or takes WAL
  std::optional<core::wall_time> last;  ///< when the last of the idle ones became idle
};

/// One session, closed again, of at most twice `limit`. Its own and those under control_application are not counted in
/// `active` and `last`. `standby_name`: the agent's own client for WAL.
core::result<activity_sample> look_at_activity(const std::string& conninfo, const std::string& standby_name,
                                               std::chrono::milliseconds limit);

/// When clients were last active, from looks that are as rare as somebody asks. A session that came and went between
/// two looks shows as a higher number of sessions, and counts as active at the second look.
class client_activity {
 public:
  /// A session of ours begins.
  void own_session() { ++own_; }
  /// Postgres was started again: it may have lost its statistics, or not.
  void new_incarnation() {
    own_before_ += own_;
    own_ = 0;
  }
  void looked(const activity_sample& at, core::wall_time now);
  [[nodiscard]] std::optional<core::wall_time> last() const { return last_; }

 private:
  std::string epoch_;
  std::int64_t own_ = 0;         ///< sessions in this incarnation
  std::int64_t own_before_ = 0;  ///< in the incarnations of the same epoch
  std::int64_t seen_ = 0;        ///< most sessions of others at a look
  std::optional<core::wall_time> last_;
};

}  // namespace strata::host
