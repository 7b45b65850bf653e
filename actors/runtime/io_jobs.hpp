#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "core/result.hpp"

namespace strata::actors::runtime {

/// Blocking work of a part of an actor: the actor's offload() to one pool, with its promises. See actor_core::jobs().
class io_jobs {
 public:
  using work = std::function<core::result<void>()>;
  using done = std::function<void(const core::result<void>&)>;
  using offloads = std::function<void(std::string what, work, done)>;

  explicit io_jobs(offloads to) : offload_(std::move(to)) {}

  /// Runs `function` (-> core::result<T>) on another thread, then `then(core::result<T>)` on the actor's. Both are
  /// copyable.
  template <class Function, class Then>
  void run(std::string what, Function function, Then then) const {
    using outcome = std::invoke_result_t<Function&>;
    auto result = std::make_shared<std::optional<outcome>>();
    offload_(
        std::move(what),
        [result, function = std::move(function)]() mutable -> core::result<void> {
          result->emplace(function());
          return {};
        },
        [result, then = std::move(then)](const core::result<void>& ran) mutable {
          if (!ran) return then(outcome(ran.error()));
          then(std::move(**result));
        });
  }

 private:
  offloads offload_;
};

}  // namespace strata::actors::runtime
