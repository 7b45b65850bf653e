#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// What a timeline's receiver last reported of the source or the safekeepers that it receives from, and what became of
/// the receiver since. Part of the timeline actor; without actors. Before the first report every position is 0.
class followed_source {
 public:
  /// `last_record`: of the timeline. A receiver that has just started has received nothing itself; its predecessors
  /// have.
  void reported(const messages::source_status& status, core::lsn last_record);
  /// The receiver ended, and is started again after a pause.
  void receiver_failed(const core::error& why);
  /// A person took back the refusal: what the receiver said before must not pass for the state of the new attempt.
  void resumed();

  [[nodiscard]] const std::optional<messages::source_status>& status() const { return status_; }
  /// The end of WAL there, as it was last told.
  [[nodiscard]] core::lsn head() const { return status_ ? status_->source_head : core::lsn(); }
  /// The timeline was given all records up to here.
  [[nodiscard]] core::lsn handed_over() const { return status_ ? status_->handed_over : core::lsn(); }
  [[nodiscard]] std::optional<std::chrono::microseconds> clock_ahead() const {
    return status_ ? status_->clock_ahead : std::nullopt;
  }
  [[nodiscard]] messages::source_lag lag(core::monotonic_time now, bool flush_fails) const;
  /// "streaming", for people.
  [[nodiscard]] std::string state_text() const;
  /// For the message to a request that waited for `at` in vain.
  [[nodiscard]] std::string why_late(core::lsn at, core::lsn last_record) const;

 private:
  std::optional<messages::source_status> status_;
};

}  // namespace strata::actors::pageserver
