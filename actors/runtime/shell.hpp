#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <typeinfo>

#include <caf/actor.hpp>

#include "actors/runtime/actor_core.hpp"

/// What is the same for all actors, whatever their messages: actor_base.hpp makes a table of an actor's handlers and
/// hands it over here, so that the code that CAF's templates make is made once.
namespace strata::actors::runtime {

enum class answers : std::uint8_t { now, later, nothing };

/// What a handler has done. Of one that answers later, `owed` is there before (null: nobody waits for the answer).
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

/// What all actors of one class have in common.
struct actor_kind {
  const char* name;
  pool_id pool;
  std::span<const handler> handlers;
  void (*start)(actor_core& actor);
  void (*stop)(actor_core& actor);  ///< null: an actor that is asked to end ends at once
};

using actor_maker = std::function<std::unique_ptr<actor_core>(const actor_setup&)>;

/// Starts the CAF actor around the object that `make` makes, here and now.
caf::actor spawn_shell(caf::actor_system& system, const actor_kind& kind, actor_label label, const actor_maker& make);

}  // namespace strata::actors::runtime
