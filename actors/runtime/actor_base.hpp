#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <span>
#include <type_traits>
#include <utility>

#include <caf/actor_system.hpp>

#include "actors/runtime/actor_core.hpp"
#include "actors/runtime/shell.hpp"
#include "messages/ask.hpp"

/// The form of an actor:
///
///   // compactor.hpp: options and one function
///   struct compactor_options { actor_label label; ... };
///   compactor_actor spawn_compactor(caf::actor_system&, compactor_options);
///
///   // compactor.cpp, anonymous namespace: private messages, then
///   struct permit_due {};
///   using private_compactor = compactor_actor::extend<messages::accepts<permit_due>>;
///   class compactor final : public actor_base<private_compactor> {
///    public:
///     static constexpr const char* kind = "pageserver.compactor";
///     static constexpr pool_id pool = pool_id::background;
///     compactor(const actor_setup& setup, compactor_options options);
///     void on_start();  // optional: runs before the first message
///     void on_stop();   // optional: told to exit; calls quit() when it is ready
///    private:
///     friend actor_base;
///     core::result<info> on(const get_info&);                       // answers now
///     void on(const compact_timeline&, reply<timeline_compacted>);  // answers later, see reply.hpp
///     void on(const permit_due&);                                   // has no answer
///   };
///   ... spawn_compactor(system, options) { auto label = options.label;
///         return spawn<compactor>(system, std::move(label), std::move(options)); }
///
/// What the base guarantees:
/// - There is one `on` for every message of the interface and none for another one; else it does not compile.
/// - An exception in a handler or a continuation becomes an error answer and a line in the log; the actor continues.
/// - No request stays unanswered: dropped replies answer an error, and so do all open ones when the actor ends.
/// - When the actor ends, its object is destroyed at once (handles in it can't form cycles) and adopted children are
///   told to exit. Told to exit (exit message) it ends after the messages before it, or calls on_stop() if it has one.
/// - Unknown messages are refused with errc::unsupported and logged.
/// - It is in the registry (console, metrics) with kind, name, parent, counts and times.
/// Requests have no timeout: an actor that has a deadline checks it on a tick.
namespace strata::actors::runtime {

namespace detail {

template <class Reply, class Then>
class continuation final : public guarded_answer {
 public:
  continuation(actor_core& of, Then then) : guarded_answer(of, messages::expected<Reply>()), then_(std::move(then)) {}

 private:
  void go_on(const messages::answer& from) override {
    then_(from.template as<core::result<messages::detail::plain<Reply>>>());
  }
  Then then_;
};

// Whether an actor has a handler too many: a call with a stranger, which becomes any message outside the interface and
// one inside it, finds one overload; with another handler it is ambiguous.
template <class Known, class... Interface>
struct stranger {
  template <class T>
  requires(std::same_as<T, Known> || !(std::same_as<T, Interface> || ...)) operator const T&() const;
};
struct any_reply {
  template <class T>
  operator reply<T>() const;
};
template <class Message, bool Is>
struct listed {
  using type = Message;
  static constexpr bool is = Is;
};
/// The first message of which it is so; void: none.
template <class... Each>
struct first {
  using type = void;
};
template <class Head, class... Tail>
struct first<Head, Tail...> : std::conditional_t<Head::is, Head, first<Tail...>> {};
template <class... Each>
using first_t = typename first<Each...>::type;

template <class State>
constexpr void (*stop_of())(actor_core&) {
  if constexpr (requires(State & actor) { actor.on_stop(); })
    return [](actor_core& actor) { static_cast<State&>(actor).on_stop(); };
  else
    return nullptr;
}

}  // namespace detail

template <class Interface>
class actor_base : public actor_core {
 public:
  using interface_type = Interface;

  explicit actor_base(const actor_setup& setup) : actor_core(setup) {}

  /// The overloads of `on` of an actor, one for each message of its interface.
  template <class State>
  static std::span<const handler> handlers_of() {
    return table<State>(typename Interface::signatures{});
  }

 protected:
  ~actor_base() override = default;

  // -- messages to other actors -------------------------------------------------------------------------------------
  /// Sends a request and calls then(core::result<Reply>) with its result (core::result<void> for done). An actor that
  /// has ended, or a null handle, answers errc::unavailable. For a message without an answer, the result is that it was
  /// handled.
  template <class Handle, class Request, class Then>
  void ask(const Handle& to, Request request, Then then) {
    static_assert(messages::takes<Handle, Request>, "the message is not in the receiver's interface");
    send_request(
        messages::detail::raw(to), messages::make_letter(std::move(request)),
        messages::answer_handler_ptr(
            new detail::continuation<messages::reply_to<Handle, Request>, Then>(*this, std::move(then)), false));
  }
  /// Sends a message that has no answer; lost if the receiver has ended.
  template <class Handle, class Message>
  void tell(const Handle& to, Message message) {
    static_assert(std::is_void_v<messages::reply_to<Handle, Message>>, "the message has an answer: ask");
    send(messages::detail::raw(to), messages::make_letter(std::move(message)));
  }
  /// A message to this actor after a delay.
  template <class Message>
  void tell_self_after(std::chrono::milliseconds delay, Message message) {
    static_assert(std::is_void_v<messages::reply_to<Interface, Message>>, "the message has an answer: ask");
    send_self_after(delay, messages::make_letter(std::move(message)));
  }
  [[nodiscard]] Interface self() const { return caf::actor_cast<Interface>(address()); }

 private:
  template <class State, class Request>
  static constexpr bool takes_alone() {
    return requires(State & actor, const Request& request) { actor.on(request); };
  }
  template <class State, class Request, class Reply = detail::any_reply>
  static constexpr bool takes_with_reply() {
    return requires(State & actor, const Request& request, const Reply& owed) { actor.on(request, owed); };
  }

  template <class State, class... Requests, class... Replies>
  static std::span<const handler> table(
      caf::detail::type_list<caf::typed_mpi<caf::detail::type_list<Requests>, caf::output_tuple<Replies>>...>) {
    static constexpr std::array<handler, sizeof...(Requests)> all{entry<State, Requests, Replies>()...};
    using alone = detail::first_t<detail::listed<Requests, takes_alone<State, Requests>()>...>;
    static_assert(takes_alone<State, detail::stranger<alone, Requests...>>() != std::same_as<alone, void>,
                  "there is an on(const X&) for a message X that is not in the interface");
    using owing = detail::first_t<detail::listed<Requests, takes_with_reply<State, Requests>()>...>;
    static_assert(takes_with_reply<State, detail::stranger<owing, Requests...>>() != std::same_as<owing, void>,
                  "there is an on(const X&, reply<Y>) for a message X that is not in the interface");
    return all;
  }

  template <class State, class Request, class Reply>
  static constexpr handler entry() {
    constexpr bool alone = takes_alone<State, Request>();
    if constexpr (std::is_void_v<Reply>) {
      static_assert(alone, "no void on(const X&) for a message X of the interface (is actor_base a friend?)");
      return {&typeid(Request), answers::nothing, [](actor_core& actor, const void* message, handled&) {
                static_cast<State&>(actor).on(*static_cast<const Request*>(message));
              }};
    } else if constexpr (alone) {
      using outcome = core::result<messages::detail::plain<Reply>>;
      return {&typeid(Request), answers::now, [](actor_core& actor, const void* message, handled& by) {
                outcome got = static_cast<State&>(actor).on(*static_cast<const Request*>(message));
                if (!got)
                  by.failure = std::move(got).error();
                else if constexpr (std::is_same_v<Reply, messages::done>)
                  by.answer = messages::make_message(messages::done{});
                else
                  by.answer = messages::make_message(*std::move(got));
              }};
    } else {
      static_assert(
          takes_with_reply<State, Request, reply<Reply>>(),
          "no core::result<Y> on(const X&) and no on(const X&, reply<Y>) for a message X of the interface that "
          "Y answers (is actor_base a friend?)");
      return {&typeid(Request), answers::later, [](actor_core& actor, const void* message, handled& by) {
                static_cast<State&>(actor).on(*static_cast<const Request*>(message), reply<Reply>(by.owed));
              }};
    }
  }
};

/// Starts an actor: the one call of every spawn function.
template <class State, class... Args>
typename State::interface_type spawn(caf::actor_system& system, actor_label label, Args&&... args) {
  static const actor_kind kind{
      .name = State::kind,
      .pool = State::pool,
      .handlers = State::template handlers_of<State>(),
      .start =
          [](actor_core& actor) {
            if constexpr (requires(State & of) { of.on_start(); }) static_cast<State&>(actor).on_start();
          },
      .stop = detail::stop_of<State>(),
  };
  return caf::actor_cast<typename State::interface_type>(
      spawn_shell(system, kind, std::move(label), [&](const actor_setup& setup) -> std::unique_ptr<actor_core> {
        return std::make_unique<State>(setup, std::forward<Args>(args)...);
      }));
}

}  // namespace strata::actors::runtime
