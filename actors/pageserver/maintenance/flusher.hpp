#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::pageserver {

struct flusher_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
  flush_listener timeline;
};
/// Writes a timeline's frozen layers to disk, oldest first, until none is left. A layer that can't be written stays in
/// memory and is retried for ever.
flusher_actor spawn_flusher(caf::actor_system& system, flusher_options options);

}  // namespace strata::actors::pageserver
