#pragma once

#include <caf/actor_system.hpp>
#include <memory>

#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/donor_search.hpp"
#include "actors/safekeeper/protocol.hpp"
#include "actors/safekeeper/wal_acceptor.hpp"
#include "journal/timeline_directory.hpp"

namespace strata::actors::safekeeper {

struct timelines_options {
  runtime::actor_label label;
  std::shared_ptr<const journal::timeline_directory> directory;
  ask_donor ask;  ///< null: no timeline can be pulled
  safekeeper_context around;
};

/// The timelines of this safekeeper, each with its acceptor. Opens them all when it starts; one that can't be opened is
/// "broken: why", and is retried on the next request for it. Requests for a timeline wait until it is open.
timelines_actor spawn_timelines(caf::actor_system& system, timelines_options options);

}  // namespace strata::actors::safekeeper
