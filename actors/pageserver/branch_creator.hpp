#pragma once

#include <caf/actor_system.hpp>
#include <memory>
#include <optional>
#include <string>

#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

struct branch_creator_options {
  runtime::actor_label label;
  core::timeline_id id;
  std::string name;
  std::optional<core::lsn> at;  ///< absent: the ancestor's head
  messages::timeline_actor ancestor;
  std::shared_ptr<storage::timeline_store> ancestor_store;
  std::shared_ptr<tenant_files> files;
  config::tenant_options tenant;
};

/// Answered once the branch's record is durable; an error means that nothing of the branch is left.
struct create_branch_record {};
struct branch_record_created {
  storage::timeline_record record;
  core::result<std::shared_ptr<storage::timeline_store>> store;  ///< an error: the branch is there, and broken
};
using branch_creator_actor = messages::actor_interface<messages::answers<create_branch_record, branch_record_created>>;

/// Carries out one placement::branch_creation and ends. Told to exit it completes a write that is under way first, so
/// that no record appears after it has ended.
branch_creator_actor spawn_branch_creator(caf::actor_system& system, branch_creator_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::create_branch_record)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::branch_record_created)
