#pragma once

#include <array>
#include <caf/actor_system.hpp>
#include <memory>

#include "actors/runtime/actor_registry.hpp"
#include "actors/safekeeper/flush_rounds.hpp"

namespace strata::actors::safekeeper {

struct wal_flusher_options {
  runtime::actor_label label;
  std::shared_ptr<flush_rounds> rounds;
};

/// The flushers of a safekeeper: one writes while another waits for the disk. A timeline always uses the same one.
struct wal_flusher_set {
  static constexpr std::size_t count = 2;
  std::array<wal_flusher_actor, count> flushers;
  std::shared_ptr<flush_rounds> rounds;  ///< of all of them
  [[nodiscard]] const wal_flusher_actor& of(const core::timeline_id& timeline) const {
    return flushers[timeline.value.back() % count];
  }
};

/// Makes the WAL of its timelines durable, in rounds: the batches that wait when a round begins are all written, then
/// all synced, so that the file system's journal does the work of many syncs in one. It blocks a thread of pool
/// io while a round runs. Its queue is bounded by one batch for each timeline.
wal_flusher_actor spawn_wal_flusher(caf::actor_system& system, wal_flusher_options options);

}  // namespace strata::actors::safekeeper
