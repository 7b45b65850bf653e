#pragma once

#include <caf/actor_system.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/protocol.hpp"
#include "actors/safekeeper/wal_flusher.hpp"
#include "journal/wal_archive.hpp"

namespace strata::actors::safekeeper {

/// Shared by the timelines of a safekeeper.
struct safekeeper_context {
  io::disk* disk = nullptr;
  consensus::node_id self;
  std::string wal_address;                             ///< host:port of this safekeeper for peers and pageservers
  std::string http_address;                            ///< likewise
  std::uint64_t disk_reserve = 0;                      ///< WAL is refused when no more than this is free
  std::shared_ptr<const journal::wal_archive> backup;  ///< null: there is no object storage
  peer_exchange_actor exchange;
  wal_flusher_set flushers;
};

struct wal_acceptor_options {
  runtime::actor_label label;
  journal::timeline_journal::options journal;
  std::shared_ptr<journal::timeline_view> view;
  safekeeper_context around;
};

/// One timeline: passes its journal one piece of work after the other, notifies receivers of WAL of new positions, and
/// once a second does what journal/maintenance.hpp decides. Suspended (files closed, out of the exchange's group) when
/// no client is connected and the pageserver has everything.
acceptor_actor spawn_wal_acceptor(caf::actor_system& system, wal_acceptor_options options);

}  // namespace strata::actors::safekeeper
