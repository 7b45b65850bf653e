#pragma once

#include <vector>

#include "messages/interface.hpp"
#include "protocol/timeline_info.hpp"

namespace strata::messages {

/// Sent by a safekeeper: the state of its active timelines.
struct publish_timelines {
  std::vector<protocol::safekeeper_timeline_info> timelines;
};
/// Sent to a subscriber. At most once, in the order of each publisher; earlier messages are not repeated for a new
/// subscriber. A slow subscriber loses its oldest queued messages.
struct timelines_published {
  std::vector<protocol::safekeeper_timeline_info> timelines;
};
using broker_subscriber_actor = actor_interface<accepts<timelines_published>>;

/// Subscribes to all timelines until the subscriber ends.
struct subscribe_timelines {
  broker_subscriber_actor to;
};

/// A process's link to the broker, local or remote: connects, reconnects and renews subscriptions. Messages published
/// without a connection are lost.
using broker_link_actor = actor_interface<accepts<publish_timelines>, accepts<subscribe_timelines>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::timelines_published)
STRATA_LOCAL_MESSAGE(strata::messages::publish_timelines)
STRATA_LOCAL_MESSAGE(strata::messages::subscribe_timelines)
