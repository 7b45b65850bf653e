#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"
#include "messages/interface.hpp"

namespace strata::actors::pageserver {

struct timeline_deleter_options {
  runtime::actor_label label;
  storage::timeline_record record;
  std::shared_ptr<storage::timeline_store> store;  ///< null: it can't be opened
  caf::strong_actor_ptr writer;                    ///< the actor that writes its files; null: none does
  std::shared_ptr<tenant_files> files;
};

/// Answered once the deletion is durable; an error means that the timeline stays.
struct mark_deleted {};
/// Of a timeline that is marked: ends the writer, removes files and record, and answers. What can't be removed is
/// logged, and left to the next start.
struct finish_deletion {};
using timeline_deleter_actor = messages::actor_interface<messages::answers<mark_deleted, messages::done>,
                                                         messages::answers<finish_deletion, messages::done>>;

/// Carries out one placement::timeline_deletion, and ends. Told to exit it completes the step that is under way.
timeline_deleter_actor spawn_timeline_deleter(caf::actor_system& system, timeline_deleter_options options);

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::mark_deleted)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::finish_deletion)
