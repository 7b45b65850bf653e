#pragma once

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <utility>

#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"

namespace strata::cli {

/// The actor at the top of a role, which ends in order with this object. If the actor ends unexpectedly the process
/// gets SIGTERM: nothing else watches it.
template <class Actor>
class running_role {
 public:
  running_role(actors::runtime::process_system& system, Actor actor) : system_(system), actor_(std::move(actor)) {
    actor_->attach_functor([ended = ended_] {
      *ended = true;
      ::kill(::getpid(), SIGTERM);
    });
  }
  ~running_role() {
    if (!*ended_) actors::runtime::stop_and_wait(system_.actors(), actor_);
  }
  running_role(const running_role&) = delete;
  running_role& operator=(const running_role&) = delete;

  [[nodiscard]] const Actor& actor() const { return actor_; }
  [[nodiscard]] bool ended_by_itself() const { return *ended_; }

 private:
  actors::runtime::process_system& system_;
  Actor actor_;
  std::shared_ptr<std::atomic<bool>> ended_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace strata::cli
