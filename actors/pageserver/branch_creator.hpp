#pragma once

#include <caf/actor_system.hpp>
#include <memory>
#include <optional>
#include <string>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

struct branch_creator_options {
  runtime::actor_label label;
  core::timeline_id id;
  std::string name;
  std::optional<core::lsn> at;  ///< absent: the ancestor's head
  owned_timeline_actor ancestor;
  std::shared_ptr<storage::timeline_store> ancestor_store;
  std::shared_ptr<tenant_files> files;
  tenant_attachment attachment;
  bool deletion_protected = false;
  std::optional<core::wall_time> expires = {};
  std::optional<bool> logical_wal = {};  ///< absent: as the ancestor
  /// The branch in whose place it is put.
  struct predecessor {
    core::timeline_id id;
    std::shared_ptr<storage::timeline_store> store;  ///< null: it can't be opened
    storage::timeline_edit edit;                     ///< applied when the new record is stored
  };
  std::optional<predecessor> replaces = {};
};

/// Carries out one placement::branch_creation and ends. Told to exit it first completes a write in progress, so
/// that no record appears after its end.
branch_creator_actor spawn_branch_creator(caf::actor_system& system, branch_creator_options options);

}  // namespace strata::actors::pageserver
