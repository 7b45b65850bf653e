#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace strata::tests {

/// Lets everybody in without a password, says to be a Postgres of the given version, and answers nothing else.
class fake_postgres {
 public:
  explicit fake_postgres(std::string version);
  ~fake_postgres();
  fake_postgres(const fake_postgres&) = delete;
  fake_postgres& operator=(const fake_postgres&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void serve();
  void greet(int client) const;

  std::string version_;
  std::uint16_t port_;
  int listener_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace strata::tests
