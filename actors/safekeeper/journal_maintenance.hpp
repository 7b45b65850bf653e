#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "core/clock.hpp"
#include "core/lsn.hpp"

namespace strata::actors::safekeeper {

/// When the positions of a timeline that are only in memory are written to disk; allows one removal of WAL at a
/// time. No position is lost with the process: its sender sends it again.
class journal_maintenance {
 public:
  void saved(core::lsn commit, core::monotonic_time now) {
    commit_ = commit;
    at_ = now;
  }
  /// After a segment of WAL, or five minutes if anything has moved.
  [[nodiscard]] bool save_due(core::lsn commit, std::uint32_t segment_size, core::monotonic_time now) const {
    return commit - commit_ > segment_size || (now - at_ >= interval && commit != commit_);
  }

  [[nodiscard]] bool removing() const { return removing_; }
  void removal_began() { removing_ = true; }
  void removal_ended() { removing_ = false; }

 private:
  static constexpr std::chrono::seconds interval{300};
  core::lsn commit_;
  core::monotonic_time at_{};
  bool removing_ = false;
};

}  // namespace strata::actors::safekeeper
