#pragma once

#include <string>
#include <utility>
#include <vector>

#include "actors/runtime/actor_base.hpp"
#include "core/log.hpp"

namespace strata::actors::runtime {

/// The parent of a role's children, which are started in such an order that each uses only those before it. Told to
/// exit it stops them in the opposite order, each after the previous one has ended. A child that ends by itself ends
/// the role, in order: the role can't run without it.
template <class Interface>
class role_supervisor : public actor_base<Interface> {
 public:
  void on_stop() {
    if (std::exchange(stopping_, true)) return;
    this->describe("stopping");
    stop_next();
  }

 protected:
  /// `role`: "the server", for people.
  role_supervisor(const actor_setup& setup, std::string role) : actor_base<Interface>(setup), role_(std::move(role)) {}
  ~role_supervisor() = default;

  template <class Handle>
  Handle started(const char* name, const Handle& child) {
    running_.push_back(caf::actor_cast<caf::strong_actor_ptr>(child));
    this->adopt(child, [this, name, address = running_.back()](const core::error& why) {
      std::erase(running_, address);
      if (stopping_) return stop_next();
      core::log(core::log_level::critical, role_ + " stops: " + name + " has ended: " + to_string(why));
      on_stop();
    });
    return child;
  }

 private:
  void stop_next() {
    if (running_.empty()) return this->quit();
    this->stop(running_.back());
  }

  std::string role_;
  std::vector<caf::strong_actor_ptr> running_;
  bool stopping_ = false;
};

}  // namespace strata::actors::runtime
