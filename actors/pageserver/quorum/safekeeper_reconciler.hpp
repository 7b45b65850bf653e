#pragma once

#include <caf/actor_system.hpp>
#include <functional>
#include <memory>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/quorum/pending_operations.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "core/instance_id.hpp"
#include "messages/wal_membership.hpp"

namespace strata::actors::pageserver {

/// Requests to the safekeepers' management API. All calls block, each for seconds at most, on threads that may block.
/// errc::unavailable if the safekeeper can't be reached.
struct safekeeper_access {
  std::function<core::result<core::instance_id>(consensus::node_id)> instance;
  /// Creates an empty timeline, durable on return; no error if it exists. errc::conflict if the safekeeper is another
  /// instance, or has deleted the timeline.
  std::function<core::result<void>(consensus::node_id, const messages::timeline_safekeepers&, const core::instance_id&)>
      create;
  /// Deletes the timeline and its WAL, durable on return: it can't be created there again. No error if it does not
  /// exist.
  std::function<core::result<void>(consensus::node_id, const core::tenant_id&, const core::timeline_id&)> remove;
};

struct safekeeper_reconciler_options {
  runtime::actor_label label;
  std::shared_ptr<tenant_files> files;
  safekeeper_access access;
  operation_limits limits;
};
/// Creates timelines on their safekeepers, once, and deletes their WAL there when the timelines are deleted. Pending
/// operations are in the metadata (storage::pending_wal_operations) and are retried until they are done: at the start,
/// when they change, and every second while some are pending. A crash at any moment loses no operation, and repeats
/// none that must not be repeated (docs/decisions/0028).
owned_reconciler_actor spawn_safekeeper_reconciler(caf::actor_system& system, safekeeper_reconciler_options options);

}  // namespace strata::actors::pageserver
