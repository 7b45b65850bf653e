#pragma once

#include <chrono>
#include <optional>

#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// How much later than its own time a commit's record may reach the source's disk, and so its walsender: an
/// asynchronous commit waits up to three wal_writer_delay (600 ms by default). A synchronous commit was on disk before
/// it was acknowledged to a client.
inline constexpr std::chrono::milliseconds commit_delay_max{1000};

/// The moment up to which all commits of the source have arrived here. A pure machine over the walsender's messages;
/// times are passed in.
///
/// A keepalive has the source's clock, and the walsender's position. The walsender sends flushed WAL before it
/// waits, so everything that was flushed when the previous keepalive was sent is at or before the highest
/// position that the source has sent until now. Once all of that was handed over, everything that was flushed by then
/// is known; commit_delay_max allows for commits that were in progress. While its send buffer is full the walsender
/// answers requests and sends no WAL, so the second keepalive counts only when it was requested after the first one
/// had arrived.
class source_progress {
 public:
  /// A new stream begins; the source's WAL ends at `head`. What was known before stays.
  void connected(core::lsn head);
  /// A keepalive was requested.
  void asked(core::monotonic_time now);
  /// Whether to request a keepalive: one request is open at a time, unless it was lost.
  [[nodiscard]] bool may_ask(core::monotonic_time now) const;

  void heard_wal(core::lsn server_end, core::monotonic_time now);
  void heard_keepalive(core::lsn server_end, core::wall_time sent, core::monotonic_time now, core::wall_time our_time);
  /// The timeline has all records that end at or before `position`. True: known_until() has changed.
  bool handed_over(core::lsn position);

  /// By the source's clock; goes back when that is set back.
  [[nodiscard]] std::optional<core::wall_time> known_until() const { return known_until_; }
  [[nodiscard]] std::optional<core::monotonic_time> last_message() const { return last_message_; }
  /// The source's clock minus ours, by its answer to the one open request.
  [[nodiscard]] std::optional<std::chrono::microseconds> clock_ahead() const { return clock_ahead_; }

 private:
  static constexpr std::chrono::milliseconds ask_interval{100};
  /// A request without an answer for so long is repeated.
  static constexpr std::chrono::seconds answer_lost{30};
  /// An answer that took longer is not used for the clock.
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

/// How far a timeline is behind its source. Bytes are only set while the source sends messages and its WAL is
/// ingested: what it wrote since its last message is unknown. (Pure.)
messages::source_lag lag_of(const messages::source_status& source, core::monotonic_time now, bool disk_fails);

}  // namespace strata::actors::pageserver
