#pragma once

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <memory>
#include <optional>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/system.hpp"
#include "core/clock.hpp"

namespace strata::tests {

/// A process_system whose actors run only when told to, one message at a time on the test's own thread; time stands
/// still unless advanced. Jobs of offload() run like other actors, so nothing ever happens beside the test.
class deterministic_system {
 public:
  deterministic_system() : process_({.clock = &clock, .deterministic = true}) {}
  /// Whatever the test left alive is ended here: a pending timer or a cycle of handles would otherwise hang the system.
  ~deterministic_system() {
    for (const auto& actor : process_.env().registry().living())
      caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::kill);
    scheduler().run();
    scheduler().clock().cancel_all();
  }

  [[nodiscard]] caf::actor_system& system() { return process_.actors(); }
  [[nodiscard]] actors::runtime::environment& env() { return process_.env(); }

  /// Runs until nobody has a message left.
  void run() {
    while (scheduler().has_job()) scheduler().run_once();
  }
  /// Moves both clocks, CAF's timers included, and runs what becomes due.
  void advance(std::chrono::milliseconds by) {
    clock.advance(by);
    scheduler().advance_time(by);
    run();
  }

  /// A request whose answer is looked at later; runs nothing by itself.
  template <class Reply>
  class pending {
   public:
    [[nodiscard]] bool answered() const { return outcome_->has_value(); }
    [[nodiscard]] core::result<Reply>& outcome() { return **outcome_; }

   private:
    friend class deterministic_system;
    std::shared_ptr<std::optional<core::result<Reply>>> outcome_ =
        std::make_shared<std::optional<core::result<Reply>>>();
  };
  template <class Handle, class Request>
  auto ask(const Handle& to, Request request) {
    using Reply = actors::runtime::detail::reply_to<Handle, Request>;
    pending<Reply> answer;
    // One asker per request: an event-based actor that keeps the outcome where the test sees it.
    const auto asker = [request, slot = answer.outcome_](caf::event_based_actor* self, const Handle& whom) {
      self->request(whom, caf::infinite, request)
          .then([slot](Reply& value) { slot->emplace(std::move(value)); },
                [slot](caf::error& error) { slot->emplace(actors::runtime::to_core(error)); });
    };
    system().spawn(asker, to);
    return answer;
  }
  /// Asks and runs until everybody is idle. Precondition: the answer comes without time passing.
  template <class Handle, class Request>
  auto get(const Handle& to, Request request) {
    auto answer = ask(to, std::move(request));
    run();
    if (!answer.answered()) throw std::runtime_error("no answer although everybody is idle");
    return std::move(answer.outcome());
  }
  template <class Handle, class Message>
  void tell(const Handle& to, Message message) {
    caf::anon_send(to, std::move(message));
    run();
  }
  template <class Handle>
  void stop(const Handle& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    run();
  }

  core::manual_clock clock;

 private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system().scheduler());
  }
  actors::runtime::process_system process_;
};

}  // namespace strata::tests
