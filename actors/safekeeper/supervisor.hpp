#pragma once

#include <caf/actor_system.hpp>
#include <cstdint>
#include <string>

#include "actors/safekeeper/donor_search.hpp"
#include "consensus/term.hpp"
#include "core/instance_id.hpp"
#include "io/disk.hpp"
#include "io/sockets.hpp"
#include "messages/broker.hpp"
#include "messages/services.hpp"

namespace strata::actors::safekeeper {

struct supervisor_options {
  consensus::node_id self;
  core::instance_id instance;
  std::string directory;  ///< exists
  io::disk* disk = nullptr;
  std::string backup_directory;  ///< exists; empty: no object storage
  io::tcp_listener wal_listener;
  std::string wal_address;   ///< host:port of this safekeeper for others
  std::string http_address;  ///< likewise
  std::uint32_t connections_max = 1024;
  std::uint64_t disk_reserve = 64u << 20;
  messages::broker_link_actor broker;  ///< null: none; it must outlive the role
  ask_donor ask;                       ///< called on pool io, one call at a time; null: no timeline can be pulled
};

/// Everything of the safekeeper role, started in the order of its source. Told to exit it stops them in
/// the opposite order, each after the previous one has ended: clients first, then timelines (which save their
/// positions). A child that ends by itself ends the role, in order: the role can't run without it.
messages::safekeeper_supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_options options);

}  // namespace strata::actors::safekeeper
