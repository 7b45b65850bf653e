#include "actors/runtime/reply.hpp"

namespace strata::actors::runtime {

promise::promise(promise_list& list, caf::response_promise to) : to_(std::move(to)), list_(&list) {
  next_ = list.first_;
  if (next_) next_->previous_ = this;
  list.first_ = this;
}

promise::~promise() {
  if (open()) fail({core::errc::io_error, "no answer"});
}

void promise::deliver(caf::message value) {
  if (open()) take().deliver(std::move(value));
}

void promise::fail(const core::error& why) {
  if (open()) take().deliver(to_caf(why));
}

void promise::pass_to(const caf::actor& other, caf::message request) {
  if (open()) take().delegate(other, std::move(request));
}

caf::response_promise promise::take() {
  if (previous_)
    previous_->next_ = next_;
  else
    list_->first_ = next_;
  if (next_) next_->previous_ = previous_;
  previous_ = next_ = nullptr;
  list_ = nullptr;
  return std::exchange(to_, caf::response_promise{});
}

void promise_list::fail_all(const core::error& why) {
  while (first_) first_->fail(why);
}

}  // namespace strata::actors::runtime
