#pragma once

#include <chrono>
#include <optional>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::runtime {

/// A request from a thread that is no actor's, such as one of a test: blocks it until the answer or the deadline,
/// then errc::timeout (the request itself is not taken back).
template <class Handle, class Request>
core::result<detail::plain<detail::reply_to<Handle, Request>>> ask_and_wait(caf::actor_system& system, const Handle& to,
                                                                            Request request,
                                                                            std::chrono::milliseconds timeout) {
  using Reply = detail::reply_to<Handle, Request>;
  using outcome = core::result<detail::plain<Reply>>;
  std::optional<outcome> answer;
  caf::scoped_actor self(system);
  self->request(to, timeout, std::move(request))
      .receive(
          [&](Reply& value) {
            if constexpr (std::is_same_v<Reply, messages::done>)
              answer.emplace();
            else
              answer.emplace(std::move(value));
          },
          [&](caf::error& error) { answer.emplace(to_core(error)); });
  return std::move(*answer);
}

/// Asks an actor to end, in order, and blocks a thread that is no actor's until it has.
template <class Handle>
void stop_and_wait(caf::actor_system& system, const Handle& actor) {
  caf::scoped_actor self(system);
  self->monitor(actor);
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg&) {});
}

}  // namespace strata::actors::runtime
