#pragma once

#include <chrono>
#include <optional>

#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// How much later than its own time a commit's record may reach the source's disk, and so its walsender: an
/// asynchronous commit waits up to three wal_writer_delay (600 ms as shipped). What was acknowledged to a client of a
/// synchronous commit was on disk before.
inline constexpr std::chrono::milliseconds commit_delay_max{1000};

/// Until when the source's word is known: the moment up to which everything that was committed there has arrived here.
/// A pure machine over what a walsender says; times are passed in.
///
/// A keepalive carries the source's clock, and where the walsender is. The walsender sends what is flushed before it
/// waits, so everything that was flushed when the keepalive before this one was sent lies at or before the highest
/// position that the source has named until now. Once all of that was handed over, everything that was flushed by then
/// is known; commit_delay_max allows for commits that were under way. While its send buffer is full the walsender
/// answers questions and sends no WAL, so the second one counts only when it was asked for after the first one had
/// come.
class source_progress {
 public:
  /// A new stream begins; the source's WAL ends at `head`. What was known before stays.
  void connected(core::lsn head);
  /// A keepalive was asked for.
  void asked(core::monotonic_time now);
  /// Whether it is time to ask again: one question is open at a time, unless it was lost.
  [[nodiscard]] bool may_ask(core::monotonic_time now) const;

  void heard_wal(core::lsn server_end, core::monotonic_time now);
  void heard_keepalive(core::lsn server_end, core::wall_time sent, core::monotonic_time now, core::wall_time our_time);
  /// All records that end at or before `position` are with the timeline. True: more is known than before.
  bool handed_over(core::lsn position);

  /// By the source's clock; goes back when that is set back.
  [[nodiscard]] std::optional<core::wall_time> known_until() const { return known_until_; }
  [[nodiscard]] std::optional<core::monotonic_time> last_message() const { return last_message_; }
  /// The source's clock minus ours, by its answer to the one question that was open.
  [[nodiscard]] std::optional<std::chrono::microseconds> clock_ahead() const { return clock_ahead_; }

 private:
  static constexpr std::chrono::milliseconds ask_interval{100};
  /// A question without an answer for so long is asked again.
  static constexpr std::chrono::seconds answer_lost{30};
  /// An answer that took longer says nothing of the clock.
  static constexpr std::chrono::milliseconds answer_max{1000};

  struct word {
    core::wall_time until;
    core::lsn head;
  };
  core::lsn head_;
  std::optional<core::wall_time> previous_;  ///< the last keepalive of this stream
  core::monotonic_time previous_heard_{};
  std::optional<word> pending_;  ///< counts when its head was handed over
  int questions_ = 0;            ///< without an answer
  core::monotonic_time asked_at_{};
  std::optional<core::wall_time> known_until_;
  std::optional<core::monotonic_time> last_message_;
  std::optional<std::chrono::microseconds> clock_ahead_;
};

/// How far a timeline is behind its source. The bytes are only told while the source speaks to us and what it sends is
/// taken in: what it wrote since its last word is not known. (Pure.)
messages::source_lag lag_of(const messages::source_status& source, core::monotonic_time now, bool disk_fails);

}  // namespace strata::actors::pageserver
