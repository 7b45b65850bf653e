#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace strata::tests {

/// Makes a stock Postgres look like the one safekeeper of a timeline: hands replication connections on to it, without
/// what only a safekeeper understands, and says that WAL is durable where it was received, so that the server can shut
/// down. WAL is as good as committed when it is on the server's disk.
class safekeeper_stand_in {
 public:
  explicit safekeeper_stand_in(std::uint16_t postgres_port);
  ~safekeeper_stand_in();
  safekeeper_stand_in(const safekeeper_stand_in&) = delete;
  safekeeper_stand_in& operator=(const safekeeper_stand_in&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Cuts all connections.
  void cut();
  /// `options` of the last start-up packet.
  [[nodiscard]] std::string options() const;
  /// Messages with the tag of a pageserver's feedback, and connections, up to now.
  [[nodiscard]] std::uint64_t feedbacks() const { return feedbacks_; }
  [[nodiscard]] std::uint64_t connections() const { return connections_; }

 private:
  void accept_all();
  void serve(int client);
  int connect_on(const std::string& startup) const;
  bool pass_messages(std::string& buffer, int to);

  std::uint16_t postgres_port_;
  std::uint16_t port_;
  int listener_;
  std::atomic<bool> ended_ = false;
  std::atomic<std::uint64_t> feedbacks_ = 0;
  std::atomic<std::uint64_t> connections_ = 0;
  std::atomic<std::uint64_t> cuts_ = 0;
  mutable std::mutex mutex_;
  std::string options_;
  std::thread thread_;
};

}  // namespace strata::tests
