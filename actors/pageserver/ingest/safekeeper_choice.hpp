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
  /// A connection that has said nothing for so long is dead: a safekeeper speaks every second.
  std::chrono::milliseconds no_keepalives{3000};
  /// How long a safekeeper may give no WAL while another one is known to have more. What the broker said is worth
  /// nothing after that, too.
  std::chrono::milliseconds no_wal_timeout{3000};
  /// So far may a safekeeper be behind another one.
  std::uint64_t lag_bytes_max = 10u << 20;
  std::chrono::milliseconds retry_first{100};
  std::chrono::milliseconds retry_max{15'000};
  /// How often to look whether there is WAL when nobody says so.
  std::chrono::milliseconds idle_poll{30'000};
};

enum class leave_reason : std::uint8_t { no_keepalives, lagging_wal, no_wal, not_a_member, another_look };
const char* to_string(leave_reason why);

/// Which safekeeper a timeline is followed from: a pure machine, time is passed in.
///
///   away --next() gives a member, started()--> connecting --heard()--> connected
///     ^                                            |                      |
///     `------------- lost() or caught_up() --------+----------------------'
///
/// What safekeepers publish decides who is the best. Nothing depends on it: without it the members are tried in turn,
/// and one that gives nothing new for idle_poll is left for the next.
class safekeeper_choice {
 public:
  using time = core::monotonic_time;

  explicit safekeeper_choice(consensus::configuration members, choice_options options = {});

  void change_members(consensus::configuration to);
  /// A safekeeper published something about the timeline.
  void published(const protocol::safekeeper_timeline_info& info, time now);
  /// Somebody waits for WAL: the next idle poll is due now.
  void wanted() { poll_due_ = true; }

  // -- while there is no connection
  /// Whom to connect to; nullopt: nobody now. `last_record`: of the timeline.
  [[nodiscard]] std::optional<consensus::member> next(time now, core::lsn last_record) const;
  /// A connection to what next() gave is being made, for WAL from `position` on.
  void started(const consensus::member& to, time now, core::lsn position);

  // -- while there is one
  /// It said something: WAL up to `position`, or just that its committed WAL ends at `commit`.
  void heard(time now, core::lsn commit, std::optional<core::lsn> position);
  /// We do not take in what it says: its silence means nothing.
  void not_listening(time now);
  /// The timeline took WAL of it.
  void progressed();
  /// It is to be left; lost() follows.
  [[nodiscard]] std::optional<leave_reason> reason_to_leave(time now);
  /// The connection is gone, or was never made.
  void lost(time now);
  /// It has ended the stream: everything was sent, and the timeline rests.
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
    core::lsn commit;  ///< 0: it has not said yet
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
  consensus::node_id last_;   ///< whom the last connection went to
  std::optional<time> idle_;  ///< since when the timeline is known to be caught up
  bool poll_due_ = false;
};

}  // namespace strata::actors::pageserver
