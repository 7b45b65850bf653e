#pragma once

#include <chrono>
#include <compare>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "messages/pending_operations.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// One operation on one safekeeper.
struct operation {
  consensus::node_id on;
  core::tenant_id tenant;
  core::timeline_id timeline;
  messages::pending_operation::kind what = messages::pending_operation::kind::create;
  auto operator<=>(const operation&) const = default;
};

/// The operations that are pending in the metadata. A timeline with a pending deletion on a safekeeper is not created
/// there.
std::vector<operation> operations_of(const storage::pending_wal_operations& durable);

struct operation_limits {
  /// Pause before an unreachable safekeeper is tried again, for all of its operations.
  std::chrono::milliseconds unreached_pause{1000};
  /// Longest pause before a refused operation is repeated; the pauses double up to this.
  std::chrono::milliseconds refused_pause_max{30'000};
  /// Attempts at a time. Each one blocks a thread until the safekeeper answers; one thread of the pool stays free.
  std::size_t at_once_max = 3;
};

/// Schedules the operations: a pure machine, time is passed in. Its state is not durable; it is filled from the
/// metadata. At most one operation is in progress per safekeeper, so that a hanging safekeeper delays only its own.
class pending_operations {
 public:
  using time = core::monotonic_time;

  explicit pending_operations(operation_limits limits = {}) : limits_(limits) {}

  /// Replaces the pending operations. An operation in progress stays until it has ended.
  void replace(const std::vector<operation>& all, time now);
  /// Starts the operations that are due; the caller reports the result of each with ended().
  std::vector<operation> begin(time now);
  /// Ends an operation. Returns its text for the log if its error has changed, or if it succeeded after an error.
  std::optional<std::string> ended(const operation& of, const core::result<void>& how, time now);

  /// Whether every creation of this timeline was tried at least once, or its safekeeper is unreachable.
  [[nodiscard]] bool tried(const core::tenant_id& tenant, const core::timeline_id& timeline) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] messages::pending_operation_list list(time now) const;

 private:
  struct entry {
    explicit entry(const operation_limits& limits)
        : pauses({.first = limits.unreached_pause, .longest = limits.refused_pause_max}) {}
    time since{};
    time due{};
    core::backoff pauses;
    std::string last_error;
    bool under_way = false;
    bool obsolete = false;
  };
  struct keeper {
    time due{};
    std::string last_error;  ///< why it can't be reached
    bool busy = false;
  };

  operation_limits limits_;
  std::map<operation, entry> entries_;  ///< by safekeeper first
  std::map<consensus::node_id, keeper> keepers_;
  std::size_t under_way_ = 0;
};

}  // namespace strata::actors::pageserver
