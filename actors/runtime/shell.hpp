#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <typeinfo>

#include <caf/actor.hpp>

#include "actors/runtime/actor_core.hpp"

/// The part that all actors share, whatever their messages: actor_base.hpp builds a table of an actor's handlers and
/// passes it here, so that CAF's templates are instantiated once.
namespace strata::actors::runtime {

enum class answers : std::uint8_t { now, later, nothing };

/// The result of a handler. If it answers later, `owed` is set before it runs (null: no answer is needed).
struct handled {
  caf::message answer;
  std::optional<core::error> failure;
  std::shared_ptr<promise> owed;
};

/// One handler of an actor.
struct handler {
  const std::type_info* message;
  answers how;
  void (*call)(actor_core& actor, const void* message, handled& by);
};

/// Common to all actors of one class.
struct actor_kind {
  const char* name;
  pool_id pool;
  std::span<const handler> handlers;
  void (*start)(actor_core& actor);
  void (*stop)(actor_core& actor);  ///< null: an actor that is told to exit ends at once
};

using actor_maker = std::function<std::unique_ptr<actor_core>(const actor_setup&)>;

/// Starts the CAF actor around the object that `make` creates, here and now.
caf::actor spawn_shell(caf::actor_system& system, const actor_kind& kind, actor_label label, const actor_maker& make);

}  // namespace strata::actors::runtime
