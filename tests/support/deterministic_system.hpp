#pragma once

#include <caf/actor_cast.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <memory>
#include <optional>

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/system.hpp"
#include "core/clock.hpp"
#include "messages/ask.hpp"

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
    using Reply = messages::reply_to<Handle, Request>;
    pending<Reply> answer;
    messages::ask_later(system(), to, std::move(request), caf::infinite,
                        [slot = answer.outcome_](core::result<messages::detail::plain<Reply>> outcome) {
                          if (!outcome)
                            slot->emplace(outcome.error());
                          else if constexpr (std::is_same_v<Reply, messages::done>)
                            slot->emplace(messages::done{});
                          else
                            slot->emplace(*std::move(outcome));
                        });
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
    messages::post(to, std::move(message));
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
