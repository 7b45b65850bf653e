#pragma once

#include <caf/scoped_actor.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "console/services.hpp"
#include "core/result.hpp"
#include "messages/errors.hpp"

namespace strata::console {

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

}  // namespace strata::console
