#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/runtime/actor_registry.hpp"
#include "actors/runtime/metrics.hpp"
#include "actors/runtime/pools.hpp"

namespace strata::actors::runtime {

/// Metrics of the process's pools and, by kind, of its actors: looked up whenever the metrics are rendered.
class process_metrics {
 public:
  process_metrics(metrics& of, const actor_registry& actors, const pool_counters& pools);
  ~process_metrics();
  process_metrics(const process_metrics&) = delete;
  process_metrics& operator=(const process_metrics&) = delete;

 private:
  struct pool_gauges {
    gauge queued;
    gauge busy;
  };
  struct kind_gauges {
    gauge living;
    gauge mailbox;
  };
  void collect();

  metrics& metrics_;
  const actor_registry& actors_;
  const pool_counters& pools_;
  std::mutex mutex_;  ///< renderings may overlap
  std::vector<pool_gauges> by_pool_;
  std::optional<gauge> blocking_;
  std::map<std::string, kind_gauges> by_kind_;
  std::uint64_t collector_ = 0;
};

}  // namespace strata::actors::runtime
