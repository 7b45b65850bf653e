#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace strata::tests {

/// Transfers between accounts, each with a line in a ledger, by several sessions at once. The bank remembers which
/// COMMITs were acknowledged: whatever happens to the server, these must be there, and each transfer must be there as a
/// whole or not at all.
class bank {
 public:
  static constexpr int account_count = 40;

  /// `conninfo` is asked before each connection: the server may have moved.
  bank(std::function<std::string()> conninfo, int workers);
  ~bank();
  bank(const bank&) = delete;
  bank& operator=(const bank&) = delete;

  /// The tables; once.
  void create() const;
  void start();
  /// Returns when every session has ended. A commit that waits for a quorum holds it up until there is one.
  void stop();

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  /// Transfers that ended in an error or a lost connection.
  [[nodiscard]] std::uint64_t uncertain() const { return uncertain_; }

  /// What is wrong with the books, a line each; empty when all is well. Not while it runs.
  [[nodiscard]] std::vector<std::string> audit() const;

 private:
  void work(int worker);

  std::function<std::string()> conninfo_;
  int workers_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> uncertain_{0};
  std::vector<std::vector<std::uint64_t>> books_;  ///< numbers of the acknowledged transfers, by worker
  std::vector<std::uint64_t> next_;                ///< by worker; goes on after stop() and start()
  std::vector<std::thread> threads_;
};

}  // namespace strata::tests
