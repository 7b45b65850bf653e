#pragma once

#include <caf/meta/type_name.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// The state of one timeline on one safekeeper, published every second while the timeline is active.
struct protocol::safekeeper_timeline_info {
  std::uint64_t safekeeper = 0;  ///< its node id
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::uint64_t term = 0;
  std::uint64_t last_log_term = 0;
  std::uint32_t generation = 0;
  core::lsn flush_lsn;
  core::lsn commit_lsn;
  core::lsn backup_lsn;
  core::lsn remote_consistent_lsn;
  core::lsn peer_horizon_lsn;
  core::lsn local_start_lsn;
  std::string wal_address;   ///< host:port of its WAL service
  std::string http_address;  ///< host:port of its management API
  bool operator==(const protocol::safekeeper_timeline_info&) const = default;
};
/// Travels between processes (actors/broker/protocol.hpp): a change of the members is a new version of that protocol.
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, protocol::safekeeper_timeline_info& x) {
  return f(caf::meta::type_name("strata.safekeeper_timeline_info"), x.safekeeper, x.tenant.value, x.timeline.value,
           x.term, x.last_log_term, x.generation, x.flush_lsn.value, x.commit_lsn.value, x.backup_lsn.value,
           x.remote_consistent_lsn.value, x.peer_horizon_lsn.value, x.local_start_lsn.value, x.wal_address,
           x.http_address);
}

/// From a safekeeper, about its active timelines.
struct publish_timelines {
  std::vector<safekeeper_timeline_info> timelines;
};
/// To a subscriber. At most once, in the order of one publisher; nothing is repeated for whoever subscribes late. One
/// that does not keep up misses the oldest of what waits for it.
struct timelines_published {
  std::vector<safekeeper_timeline_info> timelines;
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
