#pragma once

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "api/http.hpp"
#include "api/services.hpp"
#include "core/result.hpp"
#include "messages/errors.hpp"

namespace strata::api {

/// How long the API waits for an actor. A request that changes something and got no answer in time may have happened.
inline constexpr std::chrono::seconds answer_limit{60};
/// For what writes files before it answers.
inline constexpr std::chrono::seconds long_answer_limit{900};

/// Sends a request from a thread that is no actor's and waits for the answer.
template <class Reply, class Handle, class Request>
core::result<Reply> ask(const services& of, const Handle& whom, Request request,
                        std::chrono::milliseconds limit = answer_limit) {
  if (!whom) return core::error{core::errc::unavailable, "this server does not offer that"};
  // Hidden, so that a request under way doesn't hold up the end of the actor system.
  caf::scoped_actor self(*of.system, true);
  std::optional<core::result<Reply>> answer;
  self->request(whom, limit, std::move(request))
      .receive([&](Reply& reply) { answer.emplace(std::move(reply)); },
               [&](const caf::error& e) { answer.emplace(messages::from_caf(e)); });
  return std::move(*answer);
}

/// Asks without a thread that waits for it: `then` makes a reply of the answer, on an actor's thread.
template <class Reply, class Handle, class Request, class Then>
wait ask_later(const services& of, const Handle& whom, Request request, std::chrono::milliseconds limit, Then then) {
  return [=, system = of.system](const answer_taker& give) -> std::function<void()> {
    const auto waiter = system->spawn<caf::hidden>([=](caf::event_based_actor* self) {
      self->request(whom, limit, request)
          .then([=](Reply& answer) { give(then(std::move(answer))); },
                [=](const caf::error& e) { give(messages::from_caf(e)); });
    });
    return [waiter] { caf::anon_send_exit(waiter, caf::exit_reason::user_shutdown); };
  };
}

}  // namespace strata::api
