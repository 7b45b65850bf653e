#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "actors/pageserver/maintenance/retention.hpp"
#include "actors/pageserver/protocol.hpp"
#include "actors/runtime/reply.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// The retention of one timeline, and its collections, one at a time. Part of the timeline actor:
/// everything it needs of that is an argument.
class collection {
 public:
  using done = std::function<void(const core::result<messages::garbage_collected>&)>;
  struct context {
    using planned = std::function<void(const core::result<cutoff_planned>&)>;
    /// The cutoff by the tenant's options, or with another horizon.
    std::function<void(std::optional<std::uint64_t> horizon_bytes, planned)> plan;
    std::function<void(const storage::timeline_store::retention&, done)> collect;
    done ended;
  };

  /// `clock` outlives it.
  collection(std::shared_ptr<storage::timeline_store> store, const core::clock& clock, context of)
      : store_(std::move(store)), clock_(clock), context_(std::move(of)) {}

  // -- retention, of the window that can be read now
  [[nodiscard]] retention& kept() { return retention_; }
  core::result<void> add_branch_point(const core::timeline_id& child, core::lsn at);
  core::result<messages::lsn_leased> lease(core::lsn at, std::chrono::milliseconds length);
  core::result<void> hold(core::lsn at);

  // -- collections
  /// errc::busy while one runs.
  void collect(std::optional<std::uint64_t> horizon_bytes, const runtime::reply<messages::garbage_collected>& owed);

 private:
  void collect_below(core::lsn cutoff, const runtime::reply<messages::garbage_collected>& owed);
  void end(const core::result<messages::garbage_collected>& outcome,
           const runtime::reply<messages::garbage_collected>& owed);

  std::shared_ptr<storage::timeline_store> store_;
  const core::clock& clock_;
  retention retention_;
  context context_;
  bool running_ = false;
};

}  // namespace strata::actors::pageserver
