#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "actors/runtime/metrics.hpp"

namespace strata::cli {

/// Metrics of what belongs to a server and runs in other processes: computes, and the safekeepers' quorums. Looked up
/// when metrics are asked for, the quorums at most every ten seconds.
class server_metrics {
 public:
  server_metrics(actors::runtime::metrics& of, std::string directory);
  ~server_metrics();
  server_metrics(const server_metrics&) = delete;
  server_metrics& operator=(const server_metrics&) = delete;

 private:
  void count_computes();
  void look_at_quorums();

  actors::runtime::metrics& metrics_;
  const std::string directory_;
  actors::runtime::gauge running_;
  actors::runtime::gauge stopped_;
  actors::runtime::gauge damaged_;
  std::mutex looking_;  ///< held by the one that asks the safekeepers; of the next
  std::chrono::steady_clock::time_point looked_at_{};
  std::uint64_t collector_;
};

}  // namespace strata::cli
