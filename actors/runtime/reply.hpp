#pragma once

#include <memory>
#include <utility>

#include <caf/response_promise.hpp>

#include "actors/runtime/errors.hpp"
#include "core/result.hpp"
#include "messages/ask.hpp"

namespace strata::actors::runtime {

/// The open promises of one actor, so that none of them outlives it unanswered. Intrusive list head; one thread.
class promise_list;

/// One promise: answered once, or with an error when its last holder drops it or the actor ends.
class promise {
 public:
  promise(promise_list& list, caf::response_promise to);
  ~promise();
  promise(const promise&) = delete;
  promise& operator=(const promise&) = delete;

  void deliver(caf::message value);
  void fail(const core::error& why);
  [[nodiscard]] bool open() const { return list_ != nullptr; }
  /// The other actor answers the request.
  void pass_to(const caf::actor& other, caf::message request);

 private:
  friend class promise_list;
  /// Takes the promise out of the list.
  caf::response_promise take();
  caf::response_promise to_;
  promise_list* list_ = nullptr;
  promise* previous_ = nullptr;
  promise* next_ = nullptr;
};

class promise_list {
 public:
  promise_list() = default;
  promise_list(const promise_list&) = delete;
  promise_list& operator=(const promise_list&) = delete;
  void fail_all(const core::error& why);

 private:
  friend class promise;
  promise* first_ = nullptr;
};

/// The pending answer of a handler. Copies share it. It belongs to the actor's thread: it may be in the actor's state
/// or in the continuation of ask() and offload(), and is never sent in a message or a job. Dropped without an answer it
/// answers errc::io_error "no answer"; when the actor ends first, errc::unavailable. Only the first answer counts.
template <class Reply = messages::done>
class reply {
 public:
  reply() = default;
  explicit reply(std::shared_ptr<promise> of) : of_(std::move(of)) {}

  void deliver(Reply value = {}) const {
    if (of_) of_->deliver(messages::make_message(std::move(value)));
  }
  void fail(const core::error& why) const {
    if (of_) of_->fail(why);
  }
  void answer(core::result<Reply> outcome) const {
    if (outcome)
      deliver(*std::move(outcome));
    else
      fail(outcome.error());
  }
  /// For done: success or the error.
  void answer(const core::result<void>& outcome) const requires std::is_same_v<Reply, messages::done> {
    if (outcome)
      deliver();
    else
      fail(outcome.error());
  }
  /// Lets another actor answer.
  template <class Handle, class Request>
  void pass_to(const Handle& to, const Request& request) const {
    static_assert(std::is_same_v<messages::reply_to<Handle, Request>, Reply>, "the other actor has another answer");
    if (of_ && of_->open()) of_->pass_to(caf::actor_cast<caf::actor>(to), messages::make_message(request));
  }
  [[nodiscard]] bool open() const { return of_ && of_->open(); }

 private:
  std::shared_ptr<promise> of_;
};

}  // namespace strata::actors::runtime
