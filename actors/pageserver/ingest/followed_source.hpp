#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// The last report of a timeline's receiver on its source or safekeepers, and the state of
/// the receiver since. Part of the timeline actor; without actors. Before the first report every position is 0.
class followed_source {
 public:
  /// `last_record`: of the timeline. A receiver that has just started has received nothing itself, but earlier ones
  /// have.
  void reported(const messages::source_status& status, core::lsn last_record);
  /// The receiver ended, and is restarted after a pause.
  void receiver_failed(const core::error& why);
  /// An operator resumed the source: earlier reports must not count as the state of the new attempt.
  void resumed();

  [[nodiscard]] const std::optional<messages::source_status>& status() const { return status_; }
  /// The last reported end of WAL there.
  [[nodiscard]] core::lsn head() const { return status_ ? status_->source_head : core::lsn(); }
  /// The timeline received all records up to here.
  [[nodiscard]] core::lsn handed_over() const { return status_ ? status_->handed_over : core::lsn(); }
  [[nodiscard]] std::optional<std::chrono::microseconds> clock_ahead() const {
    return status_ ? status_->clock_ahead : std::nullopt;
  }
  [[nodiscard]] messages::source_lag lag(core::monotonic_time now, bool flush_fails) const;
  /// "streaming", for people.
  [[nodiscard]] std::string state_text() const;
  /// For the error of a request that waited for `at` in vain.
  [[nodiscard]] std::string why_late(core::lsn at, core::lsn last_record) const;

 private:
  std::optional<messages::source_status> status_;
};

}  // namespace strata::actors::pageserver
