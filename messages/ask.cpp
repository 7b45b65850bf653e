#include "messages/ask.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include "messages/errors.hpp"

namespace strata::messages {

caf::match_case::result answer_handler::invoke(caf::detail::invoke_result_visitor& f, caf::type_erased_tuple& content) {
  // The handler may end its actor, which lets go of what waits for answers.
  const caf::intrusive_ptr<answer_handler> keep(this);
  const auto type = content.size() == 1 ? content.type(0) : caf::rtti_pair{};
  if (type.first == caf::type_nr<caf::error>::value) {
    const core::error failure = from_caf(content.get_as<caf::error>(0));
    take({.failure = &failure});
  } else if (!reply_ && content.size() == 0) {
    take({});
  } else if (reply_ && type.second && *type.second == *reply_) {
    const bool ours = !content.shared();
    take({.value = ours ? content.get_mutable(0) : content.get(0), .ours = ours});
  } else {
    return caf::match_case::no_match;
  }
  f();
  return caf::match_case::match;
}

void post(caf::abstract_actor* to, caf::mailbox_element_ptr letter) {
  if (to) to->enqueue(std::move(letter), nullptr);
}

caf::message_id send_request(caf::local_actor* self, caf::abstract_actor* to, caf::mailbox_element_ptr request,
                             const caf::duration& limit) {
  const auto id = self->new_request_id(caf::message_priority::normal);
  if (to) {
    request->sender = self->ctrl();
    request->mid = id;
    to->enqueue(std::move(request), self->context());
    self->request_response_timeout(limit, id);
  } else {
    self->eq_impl(id.response_id(), self->ctrl(), self->context(), caf::make_error(caf::sec::request_receiver_down));
  }
  return id.response_id();
}

namespace detail {

void ask_and_wait(caf::actor_system& system, caf::abstract_actor* to, caf::mailbox_element_ptr request,
                  const caf::duration& limit, answer_handler_ptr then) {
  // Hidden, so that a request under way doesn't hold up the end of the actor system.
  caf::scoped_actor self(system, true);
  const auto id = send_request(self.ptr(), to, std::move(request), limit);
  caf::behavior behavior(caf::behavior::impl_ptr(std::move(then)));
  caf::detail::blocking_behavior once(behavior);
  caf::blocking_actor::accept_one_cond one;
  self->receive_impl(one, id, once);
}

caf::actor ask_later(caf::actor_system& system, const caf::strong_actor_ptr& to, caf::mailbox_element_ptr request,
                     const caf::duration& limit, answer_handler_ptr then) {
  // The function that starts an actor must be copyable, although it is called once.
  struct asked {
    caf::mailbox_element_ptr request;
    answer_handler_ptr then;
  };
  auto once = std::make_shared<asked>(asked{std::move(request), std::move(then)});
  const auto asker = [once, limit](caf::event_based_actor* self, const caf::strong_actor_ptr& whom) {
    const auto id = send_request(self, whom ? caf::actor_cast<caf::abstract_actor*>(whom) : nullptr,
                                 std::move(once->request), limit);
    self->add_multiplexed_response_handler(id, caf::behavior(caf::behavior::impl_ptr(std::move(once->then))));
  };
  return system.spawn<caf::hidden>(asker, to);
}

}  // namespace detail
}  // namespace strata::messages
