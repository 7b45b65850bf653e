#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace strata::tests {

/// A TCP relay on a port of its own that can misbehave as a network does. One thread.
class chaos_proxy {
 public:
  explicit chaos_proxy(std::uint16_t target_port);
  ~chaos_proxy();
  chaos_proxy(const chaos_proxy&) = delete;
  chaos_proxy& operator=(const chaos_proxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Connections stay open and nothing passes, as behind a broken link; new ones are accepted and get no answer.
  void cut() { cut_ = true; }
  /// What was held back goes on.
  void heal() { cut_ = false; }
  /// Resets every connection; what was held back is lost. Returns when that is done.
  void reset() {
    reset_ = true;
    reset_.wait(true);
  }

 private:
  struct side {
    int fd = -1;
    std::string held;  ///< read, not yet written to the other side
    bool ended = false;
  };
  struct pair {
    side client, server;
  };
  void run();
  void accept_all();
  static bool pass(side& from, side& to);
  static void close(pair& of, bool with_reset);

  std::uint16_t target_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  std::list<pair> pairs_;
  std::atomic<bool> cut_{false};
  std::atomic<bool> reset_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace strata::tests
