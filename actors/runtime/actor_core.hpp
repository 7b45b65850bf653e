#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <caf/actor_addr.hpp>
#include <caf/scheduled_actor.hpp>

#include "actors/runtime/environment.hpp"
#include "actors/runtime/io_jobs.hpp"
#include "actors/runtime/reply.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "messages/ask.hpp"

namespace strata::actors::runtime {

/// Passed by the shell to the object inside it.
struct actor_setup {
  caf::scheduled_actor* self;
  actor_trace& trace;
  promise_list& promises;
};

/// The functions of every actor, whatever its interface; see actor_base.hpp. All calls from the actor's own handlers.
class actor_core {
 public:
  explicit actor_core(const actor_setup& setup) : self_(setup.self), trace_(setup.trace), promises_(setup.promises) {}
  virtual ~actor_core() = default;
  actor_core(const actor_core&) = delete;
  actor_core& operator=(const actor_core&) = delete;

  // -- for the shell ------------------------------------------------------------------------------------------------
  void on_down(const caf::down_msg& down);
  /// Sends every adopted child an exit message.
  void exit_children();
  /// Runs a part of a handler; an exception becomes an error, is logged, and the actor continues.
  template <class Function>
  std::optional<core::error> guarded(const char* doing, Function&& function) {
    try {
      function();
      return std::nullopt;
    } catch (const std::exception& thrown) {
      return escaped(doing, thrown.what());
    } catch (...) {
      return escaped(doing, "unknown exception");
    }
  }
  /// For the answer to the current message; null: it needs no answer.
  std::shared_ptr<promise> open_promise();

 protected:
  // -- identity -----------------------------------------------------------------------------------------------------
  [[nodiscard]] std::uint64_t id() const { return self_->id(); }
  [[nodiscard]] caf::actor_system& system() const { return self_->home_system(); }
  [[nodiscard]] environment& env() const { return environment_of(self_->home_system()); }
  [[nodiscard]] const core::clock& clock() const { return env().clock(); }
  /// For children: their name and this actor as parent.
  [[nodiscard]] actor_label child_label(std::string name) const { return {std::move(name), id()}; }
  [[nodiscard]] const std::string& name() const { return trace_.label().name; }

  // -- the console --------------------------------------------------------------------------------------------------
  /// The `state` column; empty: "running" or "waiting".
  void describe(std::string text) { trace_.describe(std::move(text)); }
  /// The `last error` column, and a line in the log: "<kind> <name>: <doing>: <detail>".
  void note_error(std::string_view doing, const core::error& what);

  // -- children and neighbours --------------------------------------------------------------------------------------
  using down_handler = std::function<void(const core::error&)>;
  /// Calls back once when the actor has ended (at once if it has already).
  template <class Handle>
  void monitor(const Handle& of, down_handler then) {
    watch(caf::actor_cast<caf::strong_actor_ptr>(of), std::move(then), false);
  }
  /// Monitors a child and ends it when this actor ends.
  template <class Handle>
  void adopt(const Handle& child, down_handler then = {}) {
    watch(caf::actor_cast<caf::strong_actor_ptr>(child), std::move(then), true);
  }
  /// Tells a child to exit (in order, by its on_stop).
  template <class Handle>
  void stop(const Handle& child) {
    send_exit(caf::actor_cast<caf::strong_actor_ptr>(child), false);
  }
  /// Tells all adopted children to exit, then calls back when the last has ended.
  void stop_children(std::function<void()> then);
  /// Ends this actor after the current handler, and its children.
  void quit();
  void quit(const core::error& why);

  // -- blocking work ------------------------------------------------------------------------------------------------
  /// Runs `function` (-> core::result<T>) on a thread of the pool (background or io) and then `then(core::result<T>)`
  /// here. Both may throw: an exception becomes an error. When this actor ends first, the function still runs to its
  /// end, on its captures, and `then` is dropped. The function must not touch this actor.
  template <class Function, class Then>
  void offload(pool_id pool, std::string what, Function function, Then then) {
    using outcome = std::invoke_result_t<Function&>;
    struct work {
      Function function;
      std::optional<outcome> result;
    };
    auto shared = std::make_shared<work>(work{std::move(function), std::nullopt});
    auto continuation = std::make_shared<Then>(std::move(then));
    start_job(
        pool, std::move(what), [shared] { shared->result.emplace(shared->function()); },
        [shared, continuation](const core::error* failure) {
          if (failure)
            (*continuation)(outcome(*failure));
          else
            (*continuation)(std::move(*shared->result));
        });
  }
  /// offload() for a part of this actor. `of` is appended to the name of every job.
  [[nodiscard]] io_jobs jobs(pool_id pool = pool_id::io, std::string of = {}) {
    return io_jobs([this, pool, of = std::move(of)](std::string what, io_jobs::work work, io_jobs::done then) {
      offload(pool, std::move(what) + of, std::move(work), std::move(then));
    });
  }

  // -- messages, whose type only the sender and the receiver need ----------------------------------------------------
  void send_request(caf::abstract_actor* to, caf::mailbox_element_ptr request,
                    const messages::answer_handler_ptr& then);
  void send(caf::abstract_actor* to, caf::mailbox_element_ptr message);
  void send_self_after(std::chrono::milliseconds delay, caf::mailbox_element_ptr message);
  [[nodiscard]] caf::actor_control_block* address() const { return self_->ctrl(); }

 private:
  core::error escaped(const char* doing, const char* what);
  void watch(const caf::strong_actor_ptr& other, down_handler then, bool child);
  void send_exit(const caf::strong_actor_ptr& to, bool now);
  void start_job(pool_id pool, std::string what, std::function<void()> run,
                 std::function<void(const core::error*)> done);

  struct watched {
    std::vector<down_handler> then;
    bool child = false;
  };
  caf::scheduled_actor* self_;
  actor_trace& trace_;
  promise_list& promises_;
  std::map<caf::actor_addr, watched> watched_;
  std::size_t children_ = 0;
  std::function<void()> when_childless_;
};

/// An answer that an actor waits for.
class guarded_answer : public messages::answer_handler {
 public:
  guarded_answer(actor_core& of, const std::type_info* reply) : answer_handler(reply), of_(of) {}

 protected:
  virtual void go_on(const messages::answer& from) = 0;

 private:
  void take(const messages::answer& from) final;
  actor_core& of_;
};

}  // namespace strata::actors::runtime
