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

/// The way to the safekeepers' management. All calls block, each for seconds at most, and are made on threads that may.
/// A safekeeper that can't be reached is errc::unavailable.
struct safekeeper_access {
  std::function<core::result<core::instance_id>(consensus::node_id)> instance;
  /// An empty timeline, durable on return; no error when it is there already. errc::conflict when the safekeeper is
  /// another instance, or had the timeline and deleted it.
  std::function<core::result<void>(consensus::node_id, const messages::timeline_safekeepers&, const core::instance_id&)>
      make;
  /// Durable on return: it is not made there any more. No error when it never was there.
  std::function<core::result<void>(consensus::node_id, const core::tenant_id&, const core::timeline_id&)> remove;
};

struct safekeeper_errands_options {
  runtime::actor_label label;
  std::shared_ptr<tenant_files> files;
  safekeeper_access access;
  errand_limits limits;
};
/// Makes timelines on their safekeepers, once, and deletes their WAL there when they are gone. What there is to do is
/// in metadata (storage::wal_errands) and is tried until it is done: at the start, when told to look, and every second
/// while something is left. A crash at any moment loses nothing, and repeats nothing that must not be repeated
/// (docs/decisions/0028).
safekeeper_errands_actor spawn_safekeeper_errands(caf::actor_system& system, safekeeper_errands_options options);

}  // namespace strata::actors::pageserver
