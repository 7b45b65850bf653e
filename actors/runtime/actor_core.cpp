#include "actors/runtime/actor_core.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>

#include "actors/runtime/job.hpp"

namespace strata::actors::runtime {

void actor_core::note_error(std::string_view doing, const core::error& what) {
  const std::string text = std::string(doing) + ": " + core::to_string(what);
  core::log_warning(std::string(trace_.kind()) + " " + trace_.label().name + ": " + text);
  trace_.note_error(text);
}

core::error actor_core::escaped(const char* doing, const char* what) {
  core::error error{core::errc::io_error, std::string("internal error: ") + what};
  note_error(doing, error);
  return error;
}

std::shared_ptr<promise> actor_core::open_promise() {
  const auto* element = self_->current_mailbox_element();
  if (element == nullptr || !element->mid.is_request()) return nullptr;
  return std::make_shared<promise>(promises_, self_->make_response_promise());
}

void actor_core::watch(const caf::strong_actor_ptr& other, down_handler then, bool child) {
  if (!other) return;
  auto [at, fresh] = watched_.try_emplace(caf::actor_cast<caf::actor_addr>(other));
  if (then) at->second.then.push_back(std::move(then));
  if (child && !at->second.child) {
    at->second.child = true;
    ++children_;
  }
  if (fresh) self_->monitor(at->first);
}

void actor_core::on_down(const caf::down_msg& down) {
  const auto at = watched_.find(down.source);
  if (at == watched_.end()) return;
  const watched gone = std::move(at->second);
  watched_.erase(at);
  const core::error why = to_core(down.reason);
  for (const auto& then : gone.then) guarded("on an actor's end", [&] { then(why); });
  if (gone.child && --children_ == 0 && when_childless_)
    guarded("after the last child", [&] { std::exchange(when_childless_, nullptr)(); });
}

void actor_core::send_exit(const caf::strong_actor_ptr& to, bool now) {
  if (!to) return;
  to->enqueue(caf::make_mailbox_element(
                  self_->ctrl(), caf::make_message_id(caf::message_priority::high), {},
                  caf::exit_msg{self_->address(), now ? caf::exit_reason::kill : caf::exit_reason::user_shutdown}),
              self_->context());
}

void actor_core::exit_children() {
  for (const auto& [address, entry] : watched_)
    if (entry.child) send_exit(caf::actor_cast<caf::strong_actor_ptr>(address), false);
}

void actor_core::stop_children(std::function<void()> then) {
  if (children_ == 0) {
    then();
    return;
  }
  when_childless_ = std::move(then);
  exit_children();
}

void actor_core::quit() { self_->quit(caf::exit_reason::user_shutdown); }

void actor_core::quit(const core::error& why) {
  note_error("ends", why);
  self_->quit(to_caf(why));
}

void actor_core::send_request(caf::abstract_actor* to, caf::mailbox_element_ptr request,
                              const messages::answer_handler_ptr& then) {
  const auto id = messages::send_request(self_, to, std::move(request));
  self_->add_multiplexed_response_handler(id, caf::behavior(caf::behavior::impl_ptr(then)));
}

void actor_core::send(caf::abstract_actor* to, caf::mailbox_element_ptr message) {
  if (!to) return;
  message->sender = self_->ctrl();
  to->enqueue(std::move(message), self_->context());
}

void actor_core::send_self_after(std::chrono::milliseconds delay, caf::mailbox_element_ptr message) {
  message->sender = self_->ctrl();
  auto& timers = system().clock();
  timers.schedule_message(timers.now() + delay, caf::strong_actor_ptr(self_->ctrl()), std::move(message));
}

void actor_core::start_job(pool_id pool, std::string what, std::function<void()> run,
                           std::function<void(const core::error*)> done) {
  class job_answer final : public guarded_answer {
   public:
    job_answer(actor_core& of, std::function<void(const core::error*)> done)
        : guarded_answer(of, messages::expected<job_done>()), done_(std::move(done)) {}

   private:
    void go_on(const messages::answer& from) override { done_(from.failure); }
    std::function<void(const core::error*)> done_;
  };
  const auto job = spawn_job(system(), pool, child_label(std::move(what)));
  send_request(messages::detail::raw(job), messages::make_letter(run_job{std::move(run)}),
               messages::answer_handler_ptr(new job_answer(*this, std::move(done)), false));
}

void guarded_answer::take(const messages::answer& from) {
  of_.guarded("handle an answer", [&] { go_on(from); });
}

}  // namespace strata::actors::runtime
