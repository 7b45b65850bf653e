#include "actors/runtime/shell.hpp"

#include <caf/event_based_actor.hpp>

namespace strata::actors::runtime {
namespace {

/// Passes a message to the handler of its type.
class dispatch final : public caf::detail::behavior_impl {
 public:
  dispatch(actor_core& actor, std::span<const handler> handlers) : actor_(actor), handlers_(handlers) {}

  using behavior_impl::invoke;
  caf::match_case::result invoke(caf::detail::invoke_result_visitor& f, caf::type_erased_tuple& content) override {
    const handler* to = find(content);
    if (!to) return caf::match_case::no_match;
    handled by;
    if (to->how == answers::later) by.owed = actor_.open_promise();
    const auto thrown = actor_.guarded(to->how == answers::nothing ? "handle a message" : "handle a request",
                                       [&] { to->call(actor_, content.get(0), by); });
    switch (to->how) {
      case answers::nothing: f(caf::unit); break;
      case answers::later:
        if (thrown && by.owed) by.owed->fail(*thrown);
        f();
        break;
      case answers::now:
        if (thrown || by.failure) {
          caf::error failure = to_caf(thrown ? *thrown : *by.failure);
          f(failure);
        } else {
          f(by.answer);
        }
        break;
    }
    return caf::match_case::match;
  }

 private:
  [[nodiscard]] const handler* find(const caf::type_erased_tuple& content) const {
    if (content.size() != 1) return nullptr;
    const std::type_info* type = content.type(0).second;
    if (!type) return nullptr;
    // The address decides most of the time; names are compared where a type has two descriptions.
    for (const auto& each : handlers_)
      if (each.message == type) return &each;
    for (const auto& each : handlers_)
      if (*each.message == *type) return &each;
    return nullptr;
  }

  actor_core& actor_;
  std::span<const handler> handlers_;
};

/// The CAF actor around an object written as in actor_base.hpp.
class shell : public caf::event_based_actor {
 public:
  shell(caf::actor_config& config, const actor_kind& kind, actor_label label, const actor_maker& make)
      : event_based_actor(config),
        kind_(kind),
        trace_(kind.name, kind.pool, std::move(label), caf::weak_actor_ptr(ctrl())) {
    state_ = make(actor_setup{this, trace_, promises_});
    registry().add(trace_);
    set_down_handler([](caf::scheduled_actor* self, caf::down_msg& down) {
      if (auto& state = static_cast<shell*>(self)->state_) state->on_down(down);
    });
    set_exit_handler([](caf::scheduled_actor* self, caf::exit_msg& exit) { static_cast<shell*>(self)->leave(exit); });
    set_default_handler([](caf::scheduled_actor* self, caf::message_view&) -> caf::result<caf::message> {
      core::log_error(std::string(self->name()) + ": received an unknown message");
      return to_caf({core::errc::unsupported, std::string(self->name()) + " does not accept the message"});
    });
  }
  ~shell() override { forget(); }

  const char* name() const override { return kind_.name; }

  using event_based_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* host) override {
    trace_.enqueued();
    event_based_actor::enqueue(std::move(element), host);
  }
  using event_based_actor::consume;
  caf::invoke_message_result consume(caf::mailbox_element& element) override {
    trace_.handling();
    const auto result = event_based_actor::consume(element);
    trace_.handled();
    return result;
  }
  void on_exit() override {
    if (!state_) return;
    promises_.fail_all({core::errc::unavailable, std::string(kind_.name) + " " + trace_.label().name + " has ended"});
    state_->exit_children();
    state_.reset();
    forget();
    event_based_actor::on_exit();
  }

 protected:
  caf::behavior make_behavior() override {
    kind_.start(*state_);
    return caf::behavior(caf::behavior::impl_ptr(new dispatch(*state_, kind_.handlers), false));
  }

 private:
  actor_registry& registry() { return environment_of(home_system()).registry(); }
  void forget() {
    if (std::exchange(listed_, false)) registry().remove(trace_);
  }
  void leave(caf::exit_msg& exit) {
    const caf::error kill = caf::exit_reason::kill;
    if (kind_.stop && state_ && exit.reason != kill) return kind_.stop(*state_);
    quit(exit.reason ? std::move(exit.reason) : caf::error(caf::exit_reason::user_shutdown));
  }

  const actor_kind& kind_;
  actor_trace trace_;
  promise_list promises_;
  std::unique_ptr<actor_core> state_;
  bool listed_ = true;
};

/// A class for each pool: the scheduler remembers the pool of a class.
template <pool_id Pool>
class shell_on final : public shell, public pool_member {
 public:
  using shell::shell;
  [[nodiscard]] pool_id pool() const noexcept override { return Pool; }
};

}  // namespace

caf::actor spawn_shell(caf::actor_system& system, const actor_kind& kind, actor_label label, const actor_maker& make) {
  switch (kind.pool) {
    case pool_id::page: return system.spawn<shell_on<pool_id::page>>(kind, std::move(label), make);
    case pool_id::wal: return system.spawn<shell_on<pool_id::wal>>(kind, std::move(label), make);
    case pool_id::background: return system.spawn<shell_on<pool_id::background>>(kind, std::move(label), make);
    case pool_id::io: return system.spawn<shell_on<pool_id::io>>(kind, std::move(label), make);
    case pool_id::management: break;
  }
  return system.spawn<shell_on<pool_id::management>>(kind, std::move(label), make);
}

}  // namespace strata::actors::runtime
