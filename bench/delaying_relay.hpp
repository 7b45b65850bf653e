#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

#include "io/unique_fd.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::bench {

/// A TCP relay on 127.0.0.1 behind which a server is farther away: its answers are passed on after a delay, in full
/// rate. Requests are passed on at once. One thread, which copies nothing (splice).
class delaying_relay {
 public:
  delaying_relay(std::uint16_t target_port, std::chrono::microseconds delay);
  ~delaying_relay();
  delaying_relay(const delaying_relay&) = delete;
  delaying_relay& operator=(const delaying_relay&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// CPU time of the relay: work that a network does not need.
  [[nodiscard]] double cpu_seconds() const { return static_cast<double>(cpu_us_) / 1e6; }

 private:
  void run();

  const std::uint16_t target_port_;
  const std::chrono::microseconds delay_;
  io::unique_fd listener_;
  io::unique_fd stop_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> cpu_us_{0};
  std::thread thread_;
};

/// While it lives, the computes of a server that connect find its page service at another port.
class page_service_elsewhere {
 public:
  page_service_elsewhere(const tests::strata_server& of, std::uint16_t port);
  ~page_service_elsewhere();
  page_service_elsewhere(const page_service_elsewhere&) = delete;
  page_service_elsewhere& operator=(const page_service_elsewhere&) = delete;

 private:
  const std::filesystem::path file_;
  std::string before_;
};

}  // namespace strata::bench
