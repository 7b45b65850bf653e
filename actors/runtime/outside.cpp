#include "actors/runtime/outside.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

namespace strata::actors::runtime {

void stop_and_wait(caf::actor_system& system, const caf::strong_actor_ptr& actor) {
  caf::scoped_actor self(system);
  self->monitor(actor);
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg&) {});
}

}  // namespace strata::actors::runtime
