#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

namespace strata::actors::pageserver {

/// How many long pieces of background work may run at once, so that a thread is left for flushes. Any thread.
class work_permits {
 public:
  explicit work_permits(int count) : free_(count) {}

  /// Returns its permit when destroyed.
  class permit {
   public:
    explicit permit(work_permits& of) : of_(&of) {}
    permit(permit&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    permit& operator=(permit&&) = delete;
    ~permit() {
      if (of_) of_->free_.fetch_add(1, std::memory_order_release);
    }

   private:
    work_permits* of_;
  };
  std::optional<permit> try_take() {
    int free = free_.load(std::memory_order_relaxed);
    while (free > 0)
      if (free_.compare_exchange_weak(free, free - 1, std::memory_order_acquire)) return permit(*this);
    return std::nullopt;
  }

 private:
  std::atomic<int> free_;
};

}  // namespace strata::actors::pageserver
