#pragma once

#include <functional>
#include <optional>

#include "actors/pageserver/maintenance/retention.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// The collections of one timeline, one at a time. Part of the timeline actor: everything it needs of that is a
/// function.
class collection {
 public:
  using done = std::function<void(const core::result<messages::garbage_collected>&)>;
  struct context {
    using planned = std::function<void(const core::result<core::lsn>&)>;
    /// The cutoff by the tenant's options, or with another horizon.
    std::function<void(std::optional<std::uint64_t> horizon_bytes, planned)> plan;
    std::function<core::lsn()> applied_cutoff;
    std::function<core::monotonic_time()> now;
    std::function<void(const storage::timeline_store::retention&, done)> collect;
    done ended;
  };

  collection(retention& of, context around) : retention_(of), context_(std::move(around)) {}

  [[nodiscard]] bool running() const { return running_; }
  /// Precondition: none runs.
  void start(std::optional<std::uint64_t> horizon_bytes, done then);

 private:
  void collect_below(core::lsn cutoff, const done& then);
  void end(const core::result<messages::garbage_collected>& outcome, const done& then);

  retention& retention_;
  context context_;
  bool running_ = false;
};

}  // namespace strata::actors::pageserver
