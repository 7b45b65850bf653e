#pragma once

#include <chrono>
#include <cstdint>

#include <caf/actor_system.hpp>

#include "actors/net/tcp_service.hpp"
#include "messages/basebackup.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

struct page_service_options {
  runtime::actor_label label;
  io::tcp_listener listener;
  std::uint32_t connections_max = 1024;
  std::chrono::milliseconds wait_lsn_timeout{60'000};
  messages::tenant_manager_actor tenants;
  messages::backup_factory_actor backups;
};

/// Accepts clients of the page service and starts a page_connection for each.
net::tcp_service_actor spawn_page_service(caf::actor_system& system, page_service_options options);

}  // namespace strata::actors::pageserver
