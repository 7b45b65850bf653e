#pragma once

#include <optional>
#include <string>

#include "actors/support/metrics.hpp"
#include "core/clock.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// How far a timeline is behind what it follows.
struct source_lag {
  std::uint64_t bytes = 0;       ///< of WAL that the source is known to have and the timeline has not
  std::uint64_t slot_bytes = 0;  ///< of WAL that the source keeps for us: all that is not in durable layer files
  double seconds = 0;            ///< since the stream was last there; 0 while it is
};
/// `streaming`: when the stream was last there.
source_lag lag_of(const messages::source_status& source, core::lsn last_record, core::lsn disk_consistent,
                  core::monotonic_time streaming, core::monotonic_time now);

/// The metrics of what a timeline follows, there for as long as this object.
class source_gauges {
 public:
  /// `tenant` and `timeline` are names, for people.
  source_gauges(support::metrics& of, const std::string& tenant, const std::string& timeline, core::monotonic_time now);
  ~source_gauges();
  source_gauges(const source_gauges&) = delete;
  source_gauges& operator=(const source_gauges&) = delete;

  void update(const messages::source_status& source, core::lsn last_record, core::lsn disk_consistent,
              core::monotonic_time now);

 private:
  support::metrics& metrics_;
  support::gauge bytes_;
  support::gauge slot_bytes_;
  support::gauge seconds_;
  support::gauge up_;
  core::monotonic_time streaming_;
};

}  // namespace strata::actors::pageserver
