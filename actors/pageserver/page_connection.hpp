#pragma once

#include <chrono>

#include <caf/actor_system.hpp>

#include "actors/support/actor_registry.hpp"
#include "actors/support/socket_watcher.hpp"
#include "actors/support/sockets.hpp"
#include "messages/basebackup.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

struct page_connection_options {
  support::actor_label label;
  support::unique_fd socket;
  std::chrono::milliseconds wait_lsn_timeout{60'000};
  messages::tenant_manager_actor tenants;
  messages::backup_factory_actor backups;
};

/// Speaks with one client of the page service (facts/neon-internals.md §5) until it goes. Responses come in the order
/// of the requests; what it holds is bounded: one receive buffer, one batch of requests, one batch of responses.
support::socket_owner spawn_page_connection(caf::actor_system& system, page_connection_options options);

}  // namespace strata::actors::pageserver
