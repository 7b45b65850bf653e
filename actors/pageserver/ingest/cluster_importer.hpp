#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <cstdint>
#include <memory>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "storage/mapping/stopped_cluster.hpp"

namespace strata::actors::pageserver {

struct cluster_importer_options {
  runtime::actor_label label;
  storage::tenant_record tenant;
  storage::timeline_record root;  ///< placement::root_record(); its system id replaces that of the cluster
  storage::mapping::stopped_cluster from;
  std::shared_ptr<tenant_files> files;
  config::tenant_options options;
  std::shared_ptr<std::atomic<std::uint64_t>> bytes;  ///< read so far, for others to look at
};

/// Creates a tenant from the files of a cluster that is shut down, as placement::cluster_import says, and ends. Told to
/// exit it gives up, and removes what there is of the tenant.
cluster_importer_actor spawn_cluster_importer(caf::actor_system& system, cluster_importer_options options);

}  // namespace strata::actors::pageserver
