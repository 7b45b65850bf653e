#pragma once

#include <chrono>
#include <csignal>
#include <ctime>
#include <functional>
#include <optional>

namespace strata::cli {

/// The signals that end a server, and SIGCHLD. Blocked before any thread runs, so that every thread inherits the mask
/// and only wait() receives them.
class end_signals {
 public:
  end_signals() {
    ::sigemptyset(&set_);
    for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set_, each);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  /// Waits for a signal that ends the server. Meanwhile calls `every_second`, and at once after a child has ended.
  int wait(const std::function<void()>& every_second) const {
    for (;;) {
      if (const auto signal = wait_for(std::chrono::seconds(1))) return *signal;
      every_second();
    }
  }
  /// The same within `limit`, at most a second; nullopt: none came, or a child has ended.
  [[nodiscard]] std::optional<int> wait_for(std::chrono::milliseconds limit) const {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
    const timespec time{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(limit - seconds).count()};
    const int signal = ::sigtimedwait(&set_, nullptr, &time);
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) return signal;
    return std::nullopt;
  }

 private:
  sigset_t set_{};
};

}  // namespace strata::cli
