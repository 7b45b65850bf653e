#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include <caf/actor_control_block.hpp>

#include "actors/runtime/pools.hpp"
#include "messages/introspection.hpp"

namespace strata::actors::runtime {

/// An actor's name for people ("shop/main"), and the actor that started it.
struct actor_label {
  std::string name;
  std::uint64_t parent = 0;
};

/// The state of one living actor. The actor (and its senders) writes, the console reads.
class actor_trace {
 public:
  actor_trace(const char* kind, pool_id pool, actor_label label, caf::weak_actor_ptr self);

  void enqueued() { enqueued_.fetch_add(1, std::memory_order_relaxed); }
  void handling();
  void handled();
  void note_error(std::string text);
  void describe(std::string text);

  [[nodiscard]] messages::actor_info info() const;
  [[nodiscard]] const char* kind() const { return kind_; }
  [[nodiscard]] const actor_label& label() const { return label_; }
  [[nodiscard]] const caf::weak_actor_ptr& self() const { return self_; }

 private:
  const char* kind_;
  pool_id pool_;
  actor_label label_;
  caf::weak_actor_ptr self_;
  std::chrono::steady_clock::time_point born_;
  std::atomic<std::uint64_t> enqueued_{0};
  std::atomic<std::uint64_t> handled_{0};
  std::atomic<std::uint64_t> busy_ns_{0};
  std::atomic<std::uint64_t> longest_ns_{0};
  std::atomic<std::int64_t> since_{0};  ///< start of the running handler on the steady clock, 0: none runs
  mutable std::mutex text_mutex_;
  std::string last_error_;
  std::string description_;
};

/// Every living actor of the process.
class actor_registry {
 public:
  void add(actor_trace& actor);
  void remove(actor_trace& actor);
  [[nodiscard]] std::vector<messages::actor_info> snapshot() const;
  /// Handles on all living actors, for a shutdown that ends every one.
  [[nodiscard]] std::vector<caf::strong_actor_ptr> living() const;

 private:
  struct shard {
    mutable std::mutex mutex;
    std::unordered_set<actor_trace*> actors;
  };
  [[nodiscard]] shard& shard_of(const actor_trace& actor);
  std::array<shard, 16> shards_;
};

}  // namespace strata::actors::runtime
