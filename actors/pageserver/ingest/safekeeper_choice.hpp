#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "consensus/membership.hpp"
#include "core/backoff.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "messages/broker.hpp"

namespace strata::actors::pageserver {

struct choice_options {
  /// A connection that is silent for so long is dead: a safekeeper sends something every second.
  std::chrono::milliseconds no_keepalives{3000};
  /// How long a safekeeper may send no WAL while another one is known to have more. Published positions expire after
  /// that, too.
  std::chrono::milliseconds no_wal_timeout{3000};
  /// A safekeeper may lag so far behind another one.
  std::uint64_t lag_bytes_max = 10u << 20;
  std::chrono::milliseconds retry_first{100};
  std::chrono::milliseconds retry_max{15'000};
  /// How often to check for WAL without published positions.
  std::chrono::milliseconds idle_poll{30'000};
};

enum class leave_reason : std::uint8_t { no_keepalives, lagging_wal, no_wal, not_a_member, another_look };
const char* to_string(leave_reason why);

/// Chooses the safekeeper that a timeline is followed from: a pure machine, time is passed in.
///
///   away --next() gives a member, started()--> connecting --heard()--> connected
///     ^                                            |                      |
///     `------------- lost() or caught_up() --------+----------------------'
///
/// Positions that safekeepers publish determine the best one. They are optional: without them the members are tried in
/// turn, and one that sends nothing new for idle_poll is replaced by the next.
class safekeeper_choice {
 public:
  using time = core::monotonic_time;

  explicit safekeeper_choice(consensus::configuration members, choice_options options = {});

  void change_members(consensus::configuration to);
  /// A safekeeper published something about the timeline.
  void published(const protocol::safekeeper_timeline_info& info, time now);
  /// A read waits for WAL: the next idle poll is due now.
  void wanted() { poll_due_ = true; }

  // -- while there is no connection
  /// The member to connect to; nullopt: none now. `last_record`: of the timeline.
  [[nodiscard]] std::optional<consensus::member> next(time now, core::lsn last_record) const;
  /// A connection to the member of next() was started, for WAL from `position` on.
  void started(const consensus::member& to, time now, core::lsn position);

  // -- while there is one
  /// It sent WAL up to `position`, or only the end of its committed WAL, `commit`.
  void heard(time now, core::lsn commit, std::optional<core::lsn> position);
  /// We do not read its input: its silence means nothing.
  void not_listening(time now);
  /// The timeline ingested WAL of it.
  void progressed();
  /// Why it must be left, if so; lost() follows.
  [[nodiscard]] std::optional<leave_reason> reason_to_leave(time now);
  /// The connection is lost, or was never made.
  void lost(time now);
  /// It has ended the stream: everything was sent, and the timeline is suspended.
  void caught_up(time now);

  [[nodiscard]] std::optional<consensus::member> current() const;
  [[nodiscard]] const consensus::configuration& members() const { return members_; }

 private:
  struct candidate {
    protocol::safekeeper_timeline_info info;
    time at;
  };
  struct retry {
    time due;
    core::backoff pauses;
  };
  struct connection {
    consensus::member to;
    time started;
    time heard;
    time got_wal;
    core::lsn commit;  ///< 0: not reported yet
    core::lsn position;
    bool connected = false;
    std::optional<time> better_seen;  ///< since when another one has more
  };

  [[nodiscard]] bool may_try(consensus::node_id id, time now) const;
  [[nodiscard]] bool fresh(const candidate& of, time now) const { return now - of.at <= options_.no_wal_timeout; }
  [[nodiscard]] const candidate* best(time now, consensus::node_id without) const;
  [[nodiscard]] std::optional<consensus::member> in_turn(time now) const;

  choice_options options_;
  consensus::configuration members_;
  std::map<consensus::node_id, candidate> candidates_;
  std::map<consensus::node_id, retry> retries_;
  std::optional<connection> connection_;
  consensus::node_id last_;   ///< the member of the last connection
  std::optional<time> idle_;  ///< since when the timeline is known to be caught up
  bool poll_due_ = false;
};

}  // namespace strata::actors::pageserver
