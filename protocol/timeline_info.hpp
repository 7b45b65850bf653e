#pragma once

#include <cstdint>
#include <string>

#include "core/ids.hpp"
#include "core/lsn.hpp"

namespace strata::protocol {

/// The state of one timeline on one safekeeper, published every second while the timeline is active. Sent between
/// processes in the messages of actors/broker/protocol.hpp: a change of its members requires a new version of that
/// protocol.
struct safekeeper_timeline_info {
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
  bool operator==(const safekeeper_timeline_info&) const = default;
};
template <class Inspector>
auto inspect(Inspector& f, safekeeper_timeline_info& x) {
  return f(x.safekeeper, x.tenant.value, x.timeline.value, x.term, x.last_log_term, x.generation, x.flush_lsn.value,
           x.commit_lsn.value, x.backup_lsn.value, x.remote_consistent_lsn.value, x.peer_horizon_lsn.value,
           x.local_start_lsn.value, x.wal_address, x.http_address);
}

}  // namespace strata::protocol
