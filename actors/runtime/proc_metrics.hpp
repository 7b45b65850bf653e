#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "actors/runtime/metrics.hpp"

namespace strata::actors::runtime {

/// The usual metrics of a process, under the names that dashboards use (process_cpu_seconds_total and so
/// on), read from /proc when metrics are rendered; and strata_build_info.
class proc_metrics {
 public:
  proc_metrics(metrics& of, const std::string& version);
  ~proc_metrics();
  proc_metrics(const proc_metrics&) = delete;
  proc_metrics& operator=(const proc_metrics&) = delete;

 private:
  void collect();

  metrics& metrics_;
  counter cpu_;
  gauge resident_;
  gauge virtual_;
  gauge threads_;
  gauge open_;
  gauge open_max_;
  std::mutex mutex_;  ///< of the next
  double cpu_told_ = 0;
  std::uint64_t collector_;
};

}  // namespace strata::actors::runtime
