#pragma once

#include <caf/send.hpp>
#include <chrono>
#include <type_traits>
#include <utility>

#include "api/http.hpp"
#include "api/services.hpp"
#include "core/result.hpp"
#include "messages/ask.hpp"

namespace strata::api {

/// How long the API waits for an actor. A request that changes something and got no answer in time may have happened.
inline constexpr std::chrono::seconds answer_limit{60};
/// For what writes files before it answers.
inline constexpr std::chrono::seconds long_answer_limit{900};

/// For the import of a cluster, which copies any amount of data.
inline constexpr std::chrono::hours import_limit{48};

/// Sends a request from a thread that is no actor's and waits for the answer.
template <class Reply, class Handle, class Request>
core::result<Reply> ask(const services& of, const Handle& whom, Request request,
                        std::chrono::milliseconds limit = answer_limit) {
  static_assert(std::is_same_v<Reply, messages::reply_to<Handle, Request>>, "the answer is of another type");
  if (!whom) return core::error{core::errc::unavailable, "this server does not offer that"};
  auto answer = messages::ask_and_wait(*of.system, whom, std::move(request), limit);
  if constexpr (std::is_same_v<Reply, messages::done>) {
    STRATA_TRY(std::move(answer));
    return messages::done{};
  } else {
    return answer;
  }
}

/// Asks without a thread that waits for it: `then` makes a reply of the answer, on an actor's thread.
template <class Reply, class Handle, class Request, class Then>
wait ask_later(const services& of, const Handle& whom, Request request, std::chrono::milliseconds limit, Then then) {
  static_assert(std::is_same_v<Reply, messages::reply_to<Handle, Request>>, "the answer is of another type");
  return [=, system = of.system](const answer_taker& give) -> std::function<void()> {
    const auto waiter =
        messages::ask_later(*system, whom, request, caf::duration(limit), [=](core::result<Reply> answer) {
          if (answer)
            give(then(*std::move(answer)));
          else
            give(answer.error());
        });
    return [waiter] { caf::anon_send_exit(waiter, caf::exit_reason::user_shutdown); };
  };
}

}  // namespace strata::api
