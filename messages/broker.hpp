#pragma once

#include <vector>

#include "messages/interface.hpp"
#include "protocol/timeline_info.hpp"

namespace strata::messages {

/// From a safekeeper, about its active timelines.
struct publish_timelines {
  std::vector<protocol::safekeeper_timeline_info> timelines;
};
/// To a subscriber. At most once, in the order of one publisher; nothing is repeated for whoever subscribes late. One
/// that does not keep up misses the oldest of what waits for it.
struct timelines_published {
  std::vector<protocol::safekeeper_timeline_info> timelines;
};
using broker_subscriber_actor = actor_interface<accepts<timelines_published>>;

/// All timelines, from now until the subscriber ends.
struct subscribe_timelines {
  broker_subscriber_actor to;
};

/// A process's way to the broker, wherever it runs: connects, connects again, subscribes again. What is published while
/// there is no connection is lost.
using broker_link_actor = actor_interface<accepts<publish_timelines>, accepts<subscribe_timelines>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::timelines_published)
STRATA_LOCAL_MESSAGE(strata::messages::publish_timelines)
STRATA_LOCAL_MESSAGE(strata::messages::subscribe_timelines)
