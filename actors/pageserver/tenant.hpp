#pragma once

#include <caf/actor_system.hpp>
#include <functional>
#include <memory>

#include "actors/pageserver/ingest/source_request.hpp"
#include "actors/pageserver/ingest/wal_receiver.hpp"
#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "actors/pageserver/timeline.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "actors/runtime/housekeeping.hpp"

namespace strata::actors::pageserver {

using source_request_factory = std::function<source_request_actor(caf::actor_system&, runtime::actor_label)>;

/// Shared by all tenants of a server.
struct tenant_context {
  std::shared_ptr<tenant_files> files;
  config::tenant_options defaults;
  runtime::housekeeping_actor housekeeping;
  safekeeper_watch_actor watch;
  owned_reconciler_actor safekeeper_reconciler;
  std::shared_ptr<work_permits> permits;
  receiver_factory receiver = spawn_wal_receiver;
  source_request_factory source_request = spawn_source_request;
  flushed_question ask_flushed = pageserver::ask_flushed();
};

struct tenant_options {
  runtime::actor_label label;
  storage::tenant_record record;
  tenant_context context;
};

/// One tenant: placement::tenant_life decides which requests it serves, delays and refuses. A timeline that can't be
/// opened, and its descendants, are broken; the others are available. A branch whose timeline fails is broken until the
/// next start; one whose import fails starts over.
owned_tenant_actor spawn_tenant(caf::actor_system& system, tenant_options options);

}  // namespace strata::actors::pageserver
