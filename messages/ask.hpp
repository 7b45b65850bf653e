#pragma once

#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/behavior.hpp>
#include <caf/duration.hpp>
#include <caf/fwd.hpp>
#include <caf/message_id.hpp>

#include "core/result.hpp"
#include "messages/envelope.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

namespace detail {
template <class Signature>
struct signature;
template <class Request, class Reply>
struct signature<caf::typed_mpi<caf::detail::type_list<Request>, caf::output_tuple<Reply>>> {
  static std::type_identity<Reply> reply(std::type_identity<Request>);
};
template <class Signatures>
struct signatures;
template <class... Each>
struct signatures<caf::detail::type_list<Each...>> : signature<Each>... {
  using signature<Each>::reply...;
};
template <class T>
using plain = std::conditional_t<std::is_same_v<T, done>, void, T>;

inline caf::abstract_actor* raw(const auto& handle) {
  return handle ? caf::actor_cast<caf::abstract_actor*>(handle) : nullptr;
}
}  // namespace detail

/// The actor behind the handle has the message in its interface.
template <class Handle, class Message>
concept takes = requires {
  detail::signatures<typename Handle::signatures>::reply(std::type_identity<Message>{});
};

/// What it answers: void for a message that is only accepted.
template <class Handle, class Request>
requires takes<Handle, Request>
using reply_to =
    typename decltype(detail::signatures<typename Handle::signatures>::reply(std::type_identity<Request>{}))::type;

/// The same, done as void.
template <class Handle, class Request>
using plain_reply_to = detail::plain<reply_to<Handle, Request>>;

/// What became of a request: a failure, or a value, which is null when the request was only accepted.
struct answer {
  const core::error* failure = nullptr;
  const void* value = nullptr;
  bool ours = false;  ///< nobody else has the value: it may be moved from

  /// As core::result<Reply>; result<void> for done.
  template <class Outcome>
  [[nodiscard]] Outcome as() const {
    if (failure) return *failure;
    using Reply = typename Outcome::value_type;
    if constexpr (std::is_void_v<Reply>) {
      return {};
    } else {
      const auto* held = static_cast<const Reply*>(value);
      if (ours) return std::move(*const_cast<Reply*>(held));
      return *held;
    }
  }
};

/// Takes the answer of one request, once.
class answer_handler : public caf::detail::behavior_impl {
 public:
  /// `reply`: the type that is expected, null when nothing is; an answer of another type becomes an error.
  explicit answer_handler(const std::type_info* reply) : reply_(reply) {}
  caf::match_case::result invoke(caf::detail::invoke_result_visitor& f, caf::type_erased_tuple& content) final;
  using caf::detail::behavior_impl::invoke;

 protected:
  virtual void take(const answer& from) = 0;

 private:
  const std::type_info* reply_;
};
using answer_handler_ptr = caf::intrusive_ptr<answer_handler>;

/// What an answer_handler expects of an answer of this type.
template <class Reply>
const std::type_info* expected() {
  if constexpr (std::is_void_v<Reply>)
    return nullptr;
  else
    return &typeid(Reply);
}

/// Sends a request of `self`, a part of the actor's own code; the answer comes to it under the id that is returned. A
/// null handle is answered like an actor that has ended, with errc::unavailable. After the limit the answer is
/// errc::outcome_unknown.
caf::message_id send_request(caf::local_actor* self, caf::abstract_actor* to, caf::mailbox_element_ptr request,
                             const caf::duration& limit = caf::infinite);

// -- from outside of actors -------------------------------------------------------------------------------------------

namespace detail {
template <class Reply, class Outcome>
class into final : public answer_handler {
 public:
  explicit into(std::optional<Outcome>& slot) : answer_handler(expected<Reply>()), slot_(slot) {}

 private:
  void take(const answer& from) override { slot_.emplace(from.as<Outcome>()); }
  std::optional<Outcome>& slot_;
};
template <class Reply, class Then>
class then_call final : public answer_handler {
 public:
  explicit then_call(Then then) : answer_handler(expected<Reply>()), then_(std::move(then)) {}

 private:
  void take(const answer& from) override { then_(from.as<core::result<plain<Reply>>>()); }
  Then then_;
};
void ask_and_wait(caf::actor_system& system, caf::abstract_actor* to, caf::mailbox_element_ptr request,
                  const caf::duration& limit, answer_handler_ptr then);
caf::actor ask_later(caf::actor_system& system, const caf::strong_actor_ptr& to, caf::mailbox_element_ptr request,
                     const caf::duration& limit, answer_handler_ptr then);
}  // namespace detail

/// A request from a thread that is no actor's: blocks it until the answer or the limit, then errc::outcome_unknown (the
/// request itself is not taken back). The actor system must outlive the call.
template <class Handle, class Request>
core::result<plain_reply_to<Handle, Request>> ask_and_wait(caf::actor_system& system, const Handle& to, Request request,
                                                           std::chrono::milliseconds limit) {
  using outcome = core::result<plain_reply_to<Handle, Request>>;
  std::optional<outcome> slot;
  detail::ask_and_wait(system, detail::raw(to), make_letter(std::move(request)), caf::duration(limit),
                       answer_handler_ptr(new detail::into<reply_to<Handle, Request>, outcome>(slot), false));
  return *std::move(slot);
}

/// The same without a thread that waits: then(core::result<Reply>) is called on an actor's thread. The actor that comes
/// back waits for the answer; told to exit, it drops `then`.
template <class Handle, class Request, class Then>
caf::actor ask_later(caf::actor_system& system, const Handle& to, Request request, const caf::duration& limit,
                     Then then) {
  return detail::ask_later(
      system, caf::actor_cast<caf::strong_actor_ptr>(to), make_letter(std::move(request)), limit,
      answer_handler_ptr(new detail::then_call<reply_to<Handle, Request>, Then>(std::move(then)), false));
}

/// A message from nobody; lost if the receiver has ended.
void post(caf::abstract_actor* to, caf::mailbox_element_ptr letter);
template <class Handle, class Message>
requires std::is_void_v<reply_to<Handle, Message>>
void post(const Handle& to, Message message) { post(detail::raw(to), make_letter(std::move(message))); }

}  // namespace strata::messages
