#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "core/clock.hpp"
#include "core/lsn.hpp"

namespace strata::actors::compute {

/// How far a standby is behind the head of its branch: a pure machine, time is passed in. A lag is a promise, so it is
/// known only while both ends of it are.
class replay_lag {
 public:
  using time = core::monotonic_time;
  /// A position that was reported longer ago is not the present one: each is reported at least once a second.
  static constexpr std::chrono::milliseconds report_age_max{3000};

  /// A new incarnation begins.
  void reset() { *this = replay_lag(); }
  /// The branch ends here, by those who commit its WAL.
  void head_seen(core::lsn head, time now);
  /// It ends here or later, by one that follows it itself. Shows that a standby is behind, never that it is not.
  void head_passed(core::lsn at_least, time now);
  void replayed(core::lsn to, time now);

  struct lag {
    std::uint64_t bytes = 0;
    std::chrono::milliseconds age{0};  ///< how long the oldest WAL that is not replayed is known
  };
  [[nodiscard]] std::optional<lag> now(time now) const;
  /// The newest that was seen.
  [[nodiscard]] core::lsn head() const { return head_; }

 private:
  struct sample {
    core::lsn head;
    time seen;
  };
  static constexpr std::size_t samples_max = 512;
  void advance(core::lsn head, time now);

  core::lsn head_;
  core::lsn replayed_;
  std::optional<time> head_at_;
  std::optional<time> passed_at_;
  std::optional<time> replayed_at_;
  std::deque<sample> samples_;  ///< of heads that are not replayed, in order
};

}  // namespace strata::actors::compute
