#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/runtime/actor_registry.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"

namespace strata::storage {
class timeline_store;
}

namespace strata::actors::pageserver {

/// Something is frozen. Between failed attempts the flusher pauses, longer each time; `now` tries at once.
struct flush_due {
  bool now = false;
};

/// What it tells its timeline, once per layer and once per failed attempt.
struct layer_flushed {
  core::lsn disk_consistent_lsn;
};
struct flush_failed {
  core::error why;
};
using flush_listener = messages::actor_interface<messages::accepts<layer_flushed>, messages::accepts<flush_failed>>;

using flusher_actor = messages::actor_interface<messages::accepts<flush_due>>;

struct flusher_options {
  runtime::actor_label label;
  std::shared_ptr<storage::timeline_store> store;
  flush_listener timeline;
};
/// Writes a timeline's frozen layers to disk, oldest first, until none is left. A layer that can't be written stays in
/// memory and is tried again for ever.
flusher_actor spawn_flusher(caf::actor_system& system, flusher_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::layer_flushed)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::flush_failed)
