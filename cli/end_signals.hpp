#pragma once

#include <csignal>

namespace strata::cli {

/// The signals that end a server. Blocked before any thread runs, so that every thread inherits that and only wait()
/// takes them.
class end_signals {
 public:
  end_signals() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  [[nodiscard]] int wait() const {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) continue;
    return signal;
  }

 private:
  sigset_t set_{};
};

}  // namespace strata::cli
