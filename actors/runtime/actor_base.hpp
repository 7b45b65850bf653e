#pragma once

#include <chrono>
#include <type_traits>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/duration.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/runtime/actor_core.hpp"

/// How an actor is written here:
///
///   // collector.hpp: options and one function
///   struct collector_options { actor_label label; ... };
///   messages::collector_actor spawn_collector(caf::actor_system&, collector_options);
///
///   // collector.cpp, anonymous namespace: private messages, then
///   struct collect_due {};
///   using private_collector = messages::collector_actor::extend<messages::accepts<collect_due>>;
///   class collector final : public actor_base<private_collector> {
///    public:
///     static constexpr const char* kind = "pageserver.garbage_collector";
///     static constexpr pool_id pool = pool_id::background;
///     collector(const actor_setup& setup, collector_options options);
///     behavior_type make_behavior() { return {handle(&collector::collect), handle(&collector::due)}; }  // runs first
///    private:
///     core::result<info> get_info(const get_info&);                       // answers now
///     void collect(const collect_garbage&, reply<collected>);    // answers later, see reply.hpp
///     void due(const collect_due&);                                       // answers nothing
///     void on_stop();  // optional, public: asked to end; calls quit() when it is ready
///   };
///   ... spawn_collector(system, options) { auto label = options.label;
///         return spawn<collector>(system, std::move(label), std::move(options)); }
///
/// What the base promises:
/// - An exception in a handler or a continuation becomes an error answer and a line in the log; the actor lives on.
/// - No request stays unanswered: dropped replies answer an error, and so do all open ones when the actor ends.
/// - When the actor ends, its object is destroyed at once (handles in it can't form cycles) and adopted children are
/// told
///   to end. Asked to end (exit message) it ends after the messages before it, or calls on_stop() if there is one.
/// - Unknown messages are refused with errc::unsupported and logged.
/// - It shows in the registry (console, metrics) with kind, name, parent, counts and times.
/// Requests have no timeout: whoever has a deadline checks it on a tick.
namespace strata::actors::runtime {

/// What the shell hands to the object inside it.
struct actor_setup {
  caf::scheduled_actor* self;
  actor_trace& trace;
  promise_list& promises;
};

namespace detail {
/// core::result<void> travels as done.
template <class T>
using wire = std::conditional_t<std::is_void_v<T>, messages::done, T>;
template <class T>
using plain = std::conditional_t<std::is_same_v<T, messages::done>, void, T>;
template <class Handle, class Request>
using reply_to = caf::detail::tl_head_t<caf::response_type_t<typename Handle::signatures, Request>>;
/// The request of one signature of an interface.
template <class Signature>
struct request_in;
template <class Request, class Replies>
struct request_in<caf::typed_mpi<caf::detail::type_list<Request>, Replies>> {
  using type = Request;
};
}  // namespace detail

template <class Interface>
class actor_base : public actor_core {
 public:
  using interface_type = Interface;
  using behavior_type = typename Interface::behavior_type;
  using shell_type = typename Interface::base;

  explicit actor_base(const actor_setup& setup)
      : actor_core(setup.self, setup.trace, setup.promises), shell_(static_cast<shell_type*>(setup.self)) {}

 protected:
  ~actor_base() = default;

  // -- handlers: member functions of the actor as entries of its behaviour ----------------------------------------
  template <class State, class Request, class Reply>
  auto handle(core::result<Reply> (State::*method)(const Request&)) {
    return [this, method](const Request& request) -> caf::result<detail::wire<Reply>> {
      std::optional<core::result<Reply>> outcome;
      if (auto failure = guarded("handle a request", [&] { outcome.emplace((state<State>().*method)(request)); }))
        return to_caf(*failure);
      if (!*outcome) return to_caf(outcome->error());
      if constexpr (std::is_void_v<Reply>)
        return messages::done{};
      else
        return std::move(**outcome);
    };
  }
  template <class State, class Request, class Reply>
  auto handle(void (State::*method)(const Request&, reply<Reply>)) {
    return [this, method](const Request& request) -> caf::result<Reply> {
      reply<Reply> owed(open_promise());
      if (auto failure = guarded("handle a request", [&] { (state<State>().*method)(request, owed); }))
        owed.fail(*failure);
      return caf::delegated<Reply>{};
    };
  }
  template <class State, class Message>
  auto handle(void (State::*method)(const Message&)) {
    return [this, method](const Message& message) {
      guarded("handle a message", [&] { (state<State>().*method)(message); });
    };
  }

  /// All handlers of an actor whose handlers are called on(), one for each message of its interface, in any of the
  /// forms above. They are public, so that the interface is the list of them.
  template <class State>
  behavior_type handlers() {
    return handlers_of<State>(typename Interface::signatures{});
  }

  // -- talking to others --------------------------------------------------------------------------------------------
  /// Sends a request and calls then(core::result<Reply>) with its outcome (core::result<void> for done). An actor that
  /// has ended answers errc::unavailable. Of a message that is only accepted, the answer is that it was handled.
  template <class Handle, class Request, class Then>
  void ask(const Handle& to, Request request, Then then) {
    using Reply = detail::reply_to<Handle, Request>;
    using outcome = core::result<detail::plain<Reply>>;
    auto shared = std::make_shared<Then>(std::move(then));
    auto failed = [this, shared](caf::error& error) {
      guarded("handle an answer", [&] { (*shared)(outcome(to_core(error))); });
    };
    auto asked = shell_->request(to, caf::infinite, std::move(request));
    if constexpr (std::is_void_v<Reply>)
      asked.then([this, shared] { guarded("handle an answer", [&] { (*shared)(outcome{}); }); }, failed);
    else
      asked.then(
          [this, shared](Reply& value) {
            guarded("handle an answer", [&] {
              if constexpr (std::is_same_v<Reply, messages::done>)
                (*shared)(outcome{});
              else
                (*shared)(outcome(std::move(value)));
            });
          },
          failed);
  }
  /// Sends a message that has no answer; lost if the receiver has ended.
  template <class Handle, class Message>
  void tell(const Handle& to, Message message) {
    if (to) shell_->send(to, std::move(message));
  }
  /// A message to this actor after a delay.
  template <class Message>
  void tell_self_after(std::chrono::milliseconds delay, Message message) {
    shell_->delayed_send(self(), delay, std::move(message));
  }
  [[nodiscard]] Interface self() const { return caf::actor_cast<Interface>(shell_->ctrl()); }

 private:
  template <class State, class... Signatures>
  behavior_type handlers_of(caf::detail::type_list<Signatures...>) {
    return {handler_of<State, typename detail::request_in<Signatures>::type>()...};
  }
  template <class State, class Request>
  auto handler_of() {
    using Reply = detail::reply_to<Interface, Request>;
    if constexpr (std::is_void_v<Reply>)
      return handle(static_cast<void (State::*)(const Request&)>(&State::on));
    else if constexpr (requires { static_cast<void (State::*)(const Request&, reply<Reply>)>(&State::on); })
      return handle(static_cast<void (State::*)(const Request&, reply<Reply>)>(&State::on));
    else
      return handle(static_cast<core::result<detail::plain<Reply>> (State::*)(const Request&)>(&State::on));
  }
  template <class State>
  State& state() {
    return static_cast<State&>(*this);
  }
  shell_type* shell_;
};

/// The CAF actor around an object written as above.
template <class State>
class shell final : public State::shell_type, public pool_member {
 public:
  using base = typename State::shell_type;
  using behavior_type = typename State::behavior_type;

  template <class... Args>
  shell(caf::actor_config& config, actor_label label, Args&&... args)
      : base(config), trace_(State::kind, State::pool, std::move(label), caf::weak_actor_ptr(this->ctrl())) {
    state_ = std::make_unique<State>(actor_setup{this, trace_, promises_}, std::forward<Args>(args)...);
    registry().add(trace_);
    this->set_down_handler([](caf::scheduled_actor* self, caf::down_msg& down) {
      if (auto& state = static_cast<shell*>(self)->state_) state->on_down(down);
    });
    this->set_exit_handler(
        [](caf::scheduled_actor* self, caf::exit_msg& exit) { static_cast<shell*>(self)->leave(exit); });
    this->set_default_handler([](caf::scheduled_actor* self, caf::message_view&) -> caf::result<caf::message> {
      core::log_error(std::string(self->name()) + ": got a message it does not know");
      return to_caf({core::errc::unsupported, std::string(self->name()) + " does not know the message"});
    });
  }
  ~shell() override { forget(); }

  [[nodiscard]] pool_id pool() const noexcept override { return State::pool; }
  const char* name() const override { return State::kind; }

  using base::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* host) override {
    trace_.enqueued();
    base::enqueue(std::move(element), host);
  }
  caf::invoke_message_result consume(caf::mailbox_element& element) override {
    trace_.handling();
    const auto result = base::consume(element);
    trace_.handled();
    return result;
  }
  void on_exit() override {
    if (!state_) return;
    promises_.fail_all({core::errc::unavailable, std::string(State::kind) + " " + trace_.label().name + " has ended"});
    state_->exit_children();
    state_.reset();
    forget();
    base::on_exit();
  }

 protected:
  behavior_type make_behavior() override { return state_->make_behavior(); }

 private:
  actor_registry& registry() { return environment_of(this->home_system()).registry(); }
  void forget() {
    if (std::exchange(listed_, false)) registry().remove(trace_);
  }
  void leave(caf::exit_msg& exit) {
    const caf::error kill = caf::exit_reason::kill;
    if constexpr (requires { state_->on_stop(); }) {
      if (state_ && exit.reason != kill) {
        state_->on_stop();
        return;
      }
    }
    this->quit(exit.reason ? std::move(exit.reason) : caf::error(caf::exit_reason::user_shutdown));
  }

  actor_trace trace_;
  promise_list promises_;
  std::unique_ptr<State> state_;
  bool listed_ = true;
};

/// Starts an actor: the one call of every spawn function.
template <class State, class... Args>
typename State::interface_type spawn(caf::actor_system& system, actor_label label, Args&&... args) {
  return system.spawn<shell<State>>(std::move(label), std::forward<Args>(args)...);
}

}  // namespace strata::actors::runtime
