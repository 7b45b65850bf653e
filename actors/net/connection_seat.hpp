#pragma once

#include <atomic>

#include "core/admission.hpp"

namespace strata::actors::net {

/// What a connection does now, reported to the service that accepted it: decides whether it may be closed for another
/// one. Any thread.
class connection_seat {
 public:
  explicit connection_seat(core::monotonic_time now) : since_(now) {}

  /// Unchanged when it has this use already: `since` stays.
  void set(core::seat_use use, core::monotonic_time now) {
    if (use_.load(std::memory_order_relaxed) == use) return;
    since_.store(now, std::memory_order_relaxed);
    use_.store(use, std::memory_order_relaxed);
  }
  /// Work was in progress, and may be over: `since` begins again.
  void touch(core::monotonic_time now) { since_.store(now, std::memory_order_relaxed); }
  [[nodiscard]] core::seat_use use() const { return use_.load(std::memory_order_relaxed); }
  [[nodiscard]] core::monotonic_time since() const { return since_.load(std::memory_order_relaxed); }

 private:
  std::atomic<core::seat_use> use_ = core::seat_use::fresh;
  std::atomic<core::monotonic_time> since_;
};

}  // namespace strata::actors::net
