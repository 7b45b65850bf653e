#pragma once

#include <cstdint>
#include <functional>

#include <caf/actor_system.hpp>

#include "actors/compute/protocol.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "core/result.hpp"
#include "host/standby.hpp"
#include "io/unique_fd.hpp"

namespace strata::actors::compute {

struct wal_feed_options {
  runtime::actor_label label;
  proposer_owner_actor owner;
  io::unique_fd listener;  ///< for the walreceiver of Postgres; only it and we may reach it
  /// On a thread that may block: the upstream of an attempt; attempts that follow each other get different ones.
  std::function<core::result<strata::host::wal_upstream>(std::uint32_t attempt)> find_upstream;
};

/// Serves the replication protocol to the walreceiver of a standby: the private view of the start (follow_from), then
/// the WAL of an upstream. One walreceiver at a time; a new one replaces its predecessor. When an upstream is lost,
/// silent, or found to lag, the next one continues where it stopped, and the walreceiver only waits. What the
/// stream_guard refuses is not passed on. Holds at most 384 KiB of WAL that the walreceiver has not accepted, and one
/// record.
wal_feed_actor spawn_wal_feed(caf::actor_system& system, wal_feed_options options);

}  // namespace strata::actors::compute
