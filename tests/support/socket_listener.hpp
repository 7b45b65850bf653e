#pragma once

#include <functional>
#include <utility>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "tests/support/deterministic_system.hpp"

namespace strata::tests {

/// An actor that owns descriptors and passes their events to the test.
class socket_listener final : public actors::runtime::actor_base<actors::runtime::socket_owner> {
 public:
  static constexpr const char* kind = "test.socket_listener";
  static constexpr actors::runtime::pool_id pool = actors::runtime::pool_id::management;
  using handler = std::function<void(const actors::runtime::socket_ready&)>;

  socket_listener(const actors::runtime::actor_setup& setup, handler then)
      : actor_base(setup), then_(std::move(then)) {}

 private:
  friend actor_base;
  void on(const actors::runtime::socket_ready& event) { then_(event); }
  handler then_;
};

/// A deterministic system whose one listener gets the events of descriptors when the test looks for them.
struct listening_system : deterministic_system {
  explicit listening_system(socket_listener::handler then)
      : listener(actors::runtime::spawn<socket_listener>(system(), {"listener", 0}, std::move(then))) {
    run();
  }
  /// Delivers what has happened on the descriptors up to now.
  void look() {
    post_events();
    run();
  }
  /// As look(), but the events stay in the listener's mailbox until run().
  void post_events() { env().sockets().look(actors::runtime::pool_id::management, false); }

  actors::runtime::socket_owner listener;
};

}  // namespace strata::tests
