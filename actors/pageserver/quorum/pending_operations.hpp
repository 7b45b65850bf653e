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

/// One thing to do on one safekeeper.
struct operation {
  consensus::node_id on;
  core::tenant_id tenant;
  core::timeline_id timeline;
  messages::pending_operation::kind what = messages::pending_operation::kind::create;
  auto operator<=>(const operation&) const = default;
};

/// What metadata say is to be done. A timeline that is to go from a safekeeper is not made there.
std::vector<operation> operations_of(const storage::pending_wal_operations& durable);

struct operation_limits {
  /// Before one that could not be reached is tried again, with all that is to be done there.
  std::chrono::milliseconds unreached_pause{1000};
  /// Before the same is asked again of one that refused it: doubles up to this.
  std::chrono::milliseconds refused_pause_max{30'000};
  /// A thread of the pool stays free for others: each attempt waits for a safekeeper.
  std::size_t at_once_max = 3;
};

/// Which operation is done when: a pure machine, time is passed in. Nothing in it is durable; it is filled from
/// metadata. At most one operation at a time is under way on a safekeeper, so that one that hangs holds up nothing but
/// its own.
class pending_operations {
 public:
  using time = core::monotonic_time;

  explicit pending_operations(operation_limits limits = {}) : limits_(limits) {}

  /// These are all there are now. What is under way stays until it has ended.
  void take_over(const std::vector<operation>& all, time now);
  /// What is to be done now; the caller says how each ended.
  std::vector<operation> begin(time now);
  /// What it was, if that is worth a line in the log: it failed for another reason than before, or does so no more.
  std::optional<std::string> ended(const operation& of, const core::result<void>& how, time now);

  /// Everything that there is to make for this timeline was tried at least once, or is to be made where nobody could be
  /// reached just now.
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
