#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "actors/compute/protocol.hpp"
#include "actors/compute/stream_guard.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/standby.hpp"
#include "pg/client/replication_connection.hpp"
#include "pg/files/standby_view.hpp"

namespace strata::actors::compute {

/// The WAL of a branch, from one upstream after the other, for one incarnation of its standby: a pure machine. Events
/// of the connection in, the next command and WAL out; time is passed in.
///
///   away --opened()--> asked for its identity --> streaming --lost()--> away, or over
///
/// Over is final: the standby can't follow from where it has begun.
class followed_upstream {
 public:
  using time = core::monotonic_time;
  /// An upstream that is asked to answer every tick is dead.
  static constexpr std::chrono::seconds silence_max{10};
  /// An upstream may have less than the branch for so long.
  static constexpr std::chrono::seconds behind_max{3};

  explicit followed_upstream(const follow_from& of);

  /// What the owner of the connection does after an event.
  struct wait {};
  struct identify {};
  struct start_stream {
    core::lsn from;
    std::uint32_t timeline = 1;
  };
  struct report_position {};
  /// WAL, patched, valid until the next call.
  struct pass_on {
    core::lsn begin;
    core::bytes_view wal;
  };
  using command = std::variant<wait, identify, start_stream, report_position, pass_on>;

  /// A connection is open, whose WAL goes on at `next`, or earlier.
  void opened(host::wal_upstream to, core::lsn next, time now);
  /// After an error the connection must be closed, and lost() called. No byte of a message that fails may be passed on.
  core::result<command> on(const pg::client::replication_event& event, time now);

  /// The connection ended, or could not be opened. Once: why this incarnation is over.
  std::optional<feed_lost> lost(const core::error& why);
  /// There is no connection any more, for a reason that is not the upstream's.
  void closed();
  [[nodiscard]] bool over() const { return !guard_; }
  /// The number of the connection; each gets another upstream.
  [[nodiscard]] std::uint32_t attempt() const { return attempt_; }

  /// The branch has WAL up to here, by others than the upstream.
  void branch_reaches(core::lsn head) { branch_head_ = std::max(branch_head_, head); }
  /// Call it regularly while there is a connection; an error: another upstream is better. `is_read`: what it sends is
  /// read at once.
  [[nodiscard]] core::result<void> check(bool is_read, time now);

  /// The greatest end of WAL that an upstream has reported.
  [[nodiscard]] core::lsn head() const { return head_; }
  /// When the present one did; none: nobody's WAL flows.
  [[nodiscard]] std::optional<time> head_at() const { return streams_ ? head_at_ : std::nullopt; }
  /// Whose WAL flows, for people; empty: nobody's.
  [[nodiscard]] std::string streaming_from() const { return streams_ ? of_.name : ""; }
  /// The last one that was tried.
  [[nodiscard]] const std::string& name() const { return of_.name; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }

 private:
  [[nodiscard]] core::result<void> check_identity(const pg::client::connected& greeted) const;
  core::result<command> take(const pg::client::wal_data& wal, time now);
  core::result<void> look_through(const pg::client::wal_data& wal);
  void end(std::string why, core::lsn before);
  void saw_head(core::lsn head, time now);

  follow_from from_;
  std::optional<stream_guard> guard_;  ///< none: over
  std::optional<feed_lost> end_;       ///< until it is reported

  // -- the present upstream
  host::wal_upstream of_;
  core::lsn next_;  ///< the position that comes next from it
  std::optional<pg::files::record_link_patch> patch_;
  core::bytes patched_;
  core::lsn reaches_;  ///< end of its WAL
  std::optional<time> head_at_;
  time heard_{};
  std::optional<time> behind_since_;
  bool streams_ = false;

  // -- all of them
  core::lsn head_;
  core::lsn branch_head_;
  std::uint32_t attempt_ = 0;
  std::uint32_t refusals_ = 0;  ///< of those tried one after the other, that did not have the WAL
  std::string last_error_;
};

}  // namespace strata::actors::compute
