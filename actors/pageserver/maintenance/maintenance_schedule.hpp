#pragma once

#include <algorithm>
#include <cstdint>

#include "config/options.hpp"
#include "core/clock.hpp"

namespace strata::actors::pageserver {

/// When a timeline is compacted and collected, and its metrics are updated next.
class maintenance_schedule {
 public:
  void start(const config::tenant_options& options, core::monotonic_time now) {
    next_compaction_ = now + options.compaction_period;
    next_collection_ = now + pause_before_collection(options);
  }
  /// Shorter periods apply at once.
  void change(const config::tenant_options& options, core::monotonic_time now) {
    next_compaction_ = std::min(next_compaction_, now + options.compaction_period);
    next_collection_ = std::min(next_collection_, now + pause_before_collection(options));
  }

  /// True once a period.
  bool compaction_due(const config::tenant_options& options, core::monotonic_time now) {
    if (options.compaction_period.count() == 0 || now < next_compaction_) return false;
    next_compaction_ = now + options.compaction_period;
    return true;
  }
  bool collection_due(const config::tenant_options& options, core::monotonic_time now) {
    if (options.gc_period.count() == 0 || options.gc_horizon_bytes == 0 || now < next_collection_) return false;
    next_collection_ = now + pause_before_collection(options);
    return true;
  }
  /// True every fourth tick, so once a second.
  bool metrics_due() { return ++ticks_ % 4 == 0; }

 private:
  // Leases don't survive a restart, so nothing is collected before those of the last run would have ended.
  static core::monotonic_time::duration pause_before_collection(const config::tenant_options& options) {
    return std::max<core::monotonic_time::duration>(options.gc_period, options.lsn_lease_length);
  }

  core::monotonic_time next_compaction_{};
  core::monotonic_time next_collection_{};
  std::uint64_t ticks_ = 0;
};

}  // namespace strata::actors::pageserver
