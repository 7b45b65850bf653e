#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "consensus/messages.hpp"
#include "core/bytes.hpp"
#include "tests/simulation/world.hpp"

namespace strata::tests::simulation {

class network;

/// A connection of a proposer to an acceptor: in order in each direction, until it is lost; then nothing more arrives,
/// and either side learns it at once, later or (half-open) never. What is under way when one side closes it may arrive.
class connection : public std::enable_shared_from_this<connection> {
 public:
  std::uint64_t proposer = 0;
  consensus::node_id acceptor;
  std::function<void(const consensus::acceptor_message&)> to_proposer;
  std::function<void(const consensus::proposer_message&, std::shared_ptr<const core::bytes>)> to_acceptor;
  std::function<void()> told_proposer;  ///< that it is lost
  std::function<void()> told_acceptor;

  void send(const consensus::proposer_message& message, std::shared_ptr<const core::bytes> wal);
  void send(const consensus::acceptor_message& message, micros delay);
  /// By either side. The other one is told, if nothing hinders that.
  void close(bool by_proposer);
  /// One side has ended without a word.
  void vanish(bool proposer) { (proposer ? proposer_open_ : acceptor_open_) = false; }

 private:
  friend class network;
  /// Runs `what` at the other side after a delay, behind everything sent before; loses the connection sometimes.
  void deliver(micros& last, micros delay, std::function<void()> what);
  void lose();

  network* through_ = nullptr;
  bool lost_ = false;
  bool proposer_open_ = true;
  bool acceptor_open_ = true;
  micros last_to_acceptor_ = 0;
  micros last_to_proposer_ = 0;
};

/// Who reaches whom. A partition separates pairs of a proposer and an acceptor, or of two acceptors (0 stands for the
/// controller).
class network {
 public:
  explicit network(world& in) : world_(in) {}

  std::shared_ptr<connection> connect(std::uint64_t proposer, consensus::node_id acceptor);
  [[nodiscard]] bool reaches(std::uint64_t one, consensus::node_id other) const {
    return !blocked_.contains({one, other.value});
  }
  void block(std::uint64_t one, consensus::node_id other) { blocked_.insert({one, other.value}); }
  void heal() { blocked_.clear(); }

 private:
  friend class connection;
  world& world_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> blocked_;
};

}  // namespace strata::tests::simulation
