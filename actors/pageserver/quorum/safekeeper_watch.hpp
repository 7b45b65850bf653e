#pragma once

#include <caf/actor_system.hpp>

#include "actors/runtime/actor_registry.hpp"
#include "core/ids.hpp"
#include "messages/broker.hpp"

namespace strata::actors::pageserver {

/// A safekeeper has said something about the receiver's timeline.
struct safekeeper_published {
  protocol::safekeeper_timeline_info info;
};
using watching_actor = messages::actor_interface<messages::accepts<safekeeper_published>>;

/// Asks for what is published about one timeline, until the actor ends. One for each timeline: the last who asked.
struct watch_timeline {
  core::tenant_id tenant;
  core::timeline_id timeline;
  watching_actor actor;
};

/// Hears what the safekeepers of all timelines publish, and hands it to the receivers of those that are here.
using safekeeper_watch_actor = messages::broker_subscriber_actor::extend<messages::accepts<watch_timeline>>;

struct safekeeper_watch_options {
  runtime::actor_label label;
  messages::broker_link_actor broker;  ///< null: nobody tells anything
};
safekeeper_watch_actor spawn_safekeeper_watch(caf::actor_system& system, safekeeper_watch_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::safekeeper_published)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::watch_timeline)
