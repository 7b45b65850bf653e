#pragma once

#include <chrono>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/net/connection_seat.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "io/sockets.hpp"
#include "messages/basebackup.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

struct page_connection_options {
  runtime::actor_label label;
  io::unique_fd socket;
  std::shared_ptr<net::connection_seat> seat;
  std::chrono::milliseconds wait_lsn_timeout{60'000};
  /// A client that has not sent its start-up packet by then is closed.
  std::chrono::milliseconds startup_limit{10'000};
  /// A client that reads less than 64 KiB of an archive in this time is closed.
  std::chrono::milliseconds backup_progress_limit{60'000};
  messages::tenant_manager_actor tenants;
  messages::backup_factory_actor backups;
};

/// Serves one client of the page service (docs/formats/wire.md) until it disconnects. Responses are in the order
/// of the requests; its memory is bounded: one receive buffer, one batch of requests, one batch of responses.
runtime::socket_owner spawn_page_connection(caf::actor_system& system, page_connection_options options);

}  // namespace strata::actors::pageserver
