#pragma once

#include <caf/actor_system.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "consensus/cluster_view.hpp"
#include "consensus/membership.hpp"
#include "core/clock.hpp"
#include "core/instance_id.hpp"
#include "messages/basebackup.hpp"
#include "messages/compute_control.hpp"
#include "messages/introspection.hpp"
#include "messages/pending_operations.hpp"
#include "messages/safekeeper.hpp"
#include "messages/tenant.hpp"

namespace strata::api {

class timeline_sizes;

/// The actors and functions behind the management API. The actor system must outlive the server.
struct services {
  caf::actor_system* system = nullptr;
  messages::tenant_manager_actor tenants;
  messages::backup_factory_actor backups;
  messages::introspector_actor introspector;
  messages::safekeeper_reconciler_actor reconciler;
  /// Those that new branches may be given; absent: none. Called from any thread.
  std::function<std::vector<consensus::member>()> safekeepers;
  /// Asks all safekeepers how they are, which takes seconds when some do not answer; absent: there are none. Called
  /// from any thread.
  std::function<std::vector<consensus::observed_safekeeper>()> observe_safekeepers;
  /// Prometheus's text.
  std::function<std::string()> metrics;
  /// What GET /v1/status says of the process.
  std::string version;
  std::string directory;
  std::string pg_bin;
  std::uint16_t page_port = 0;
  /// In the server's own files only: a client that has it may have the passwords of sources. Empty: none may.
  std::string key;
  config::tenant_options tenant_defaults;
  /// Made by the server when it is absent.
  std::shared_ptr<timeline_sizes> sizes;
  /// Of a safekeeper's process, which has none of the above.
  messages::wal_timelines_actor wal_timelines;
  consensus::node_id safekeeper;
  core::instance_id instance;
  std::string wal_address;
  /// Of the process of a compute's agent, which has none of the above.
  messages::compute_control_actor compute;
  const core::clock* clock = &core::system_clock();
};

}  // namespace strata::api
