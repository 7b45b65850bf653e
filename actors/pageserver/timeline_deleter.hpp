#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <memory>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "actors/runtime/actor_registry.hpp"

namespace strata::actors::pageserver {

struct timeline_deleter_options {
  runtime::actor_label label;
  storage::timeline_record record;
  std::shared_ptr<storage::timeline_store> store;  ///< null: it can't be opened
  caf::strong_actor_ptr writer;                    ///< the actor that writes its files; null: none does
  std::shared_ptr<tenant_files> files;
};

/// Carries out one placement::timeline_deletion, and ends. Told to exit it completes the step in progress.
timeline_deleter_actor spawn_timeline_deleter(caf::actor_system& system, timeline_deleter_options options);

}  // namespace strata::actors::pageserver
