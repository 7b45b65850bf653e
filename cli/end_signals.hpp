#pragma once

#include <csignal>
#include <functional>

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
      const timespec second{.tv_sec = 1, .tv_nsec = 0};
      const int signal = ::sigtimedwait(&set_, nullptr, &second);
      if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) return signal;
      every_second();
    }
  }

 private:
  sigset_t set_{};
};

}  // namespace strata::cli
