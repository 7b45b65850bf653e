#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "messages/broker.hpp"

namespace strata::actors::broker {

/// Queues messages for receivers. A receiver has at most `window` unacknowledged messages in flight, and a bounded
/// queue after them: when that is full the oldest message is dropped, for only the newest state counts. So a slow
/// receiver loses its oldest queued messages and never costs memory.
class fan_out {
 public:
  using receiver = std::uint64_t;
  /// Shared by all receivers whose queue has it.
  using batch = std::shared_ptr<const std::vector<protocol::safekeeper_timeline_info>>;

  static constexpr std::size_t window = 8;
  static constexpr std::size_t waiting_max = 64;                ///< messages of a receiver
  static constexpr std::size_t waiting_timelines_max = 40'000;  ///< in these messages

  void add(receiver to) { receivers_.try_emplace(to); }
  void remove(receiver to) { receivers_.erase(to); }
  [[nodiscard]] bool empty() const { return receivers_.empty(); }

  /// Returns the receivers to send it to now; for the others it is queued.
  std::vector<receiver> publish(const batch& what);
  /// A receiver has acknowledged a message: returns the next one for it, if any is queued.
  std::optional<batch> taken(receiver by);
  /// Messages dropped, over all receivers.
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
