#pragma once

#include <caf/actor_system.hpp>
#include <cstdint>
#include <memory>

#include "actors/net/tcp_service.hpp"
#include "actors/safekeeper/protocol.hpp"
#include "journal/wal_archive.hpp"

namespace strata::actors::safekeeper {

struct wal_service_options {
  runtime::actor_label label;
  io::tcp_listener listener;
  std::uint32_t connections_max = 1024;
  timelines_actor timelines;
  std::shared_ptr<const journal::wal_archive> backup;  ///< null: there is none
  std::string identity;                                ///< sent to every client
};

/// Accepts clients of the WAL service and starts a wal_connection for each.
net::tcp_service_actor spawn_wal_service(caf::actor_system& system, wal_service_options options);

}  // namespace strata::actors::safekeeper
