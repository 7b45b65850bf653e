#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "messages/broker.hpp"

namespace strata::actors::broker {

/// Who gets which message now. A receiver has at most `window` messages on the way, each until it says that it took it,
/// and behind them a bounded number that wait: when that is full the oldest is dropped, for the newest state is what
/// counts. So a receiver that does not keep up loses messages and never costs memory.
class fan_out {
 public:
  using receiver = std::uint64_t;
  /// Shared by all receivers that it waits for.
  using batch = std::shared_ptr<const std::vector<protocol::safekeeper_timeline_info>>;

  static constexpr std::size_t window = 8;
  static constexpr std::size_t waiting_max = 64;                ///< messages of a receiver
  static constexpr std::size_t waiting_timelines_max = 40'000;  ///< in these messages

  void add(receiver to) { receivers_.try_emplace(to); }
  void remove(receiver to) { receivers_.erase(to); }
  [[nodiscard]] bool empty() const { return receivers_.empty(); }

  /// To whom to send it now; for the others it waits.
  std::vector<receiver> publish(const batch& what);
  /// One on the way was taken: what to send next to this receiver, if something waits.
  std::optional<batch> taken(receiver by);
  /// Messages that a receiver did not get, over all.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct state {
    std::size_t on_the_way = 0;
    std::deque<batch> waiting;
    std::size_t waiting_timelines = 0;
  };
  std::map<receiver, state> receivers_;
  std::uint64_t dropped_ = 0;
};

}  // namespace strata::actors::broker
