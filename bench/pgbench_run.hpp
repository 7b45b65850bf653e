#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/postgres_install.hpp"

namespace strata::bench {

struct pgbench_result {
  double tps = 0;
  std::uint64_t transactions = 0;
  std::vector<double> latencies_ms;  ///< of each transaction, ascending; empty unless they were asked for

  [[nodiscard]] double percentile(double part) const;
};

struct pgbench_shape {
  std::string builtin = "simple-update";
  std::string script{};  ///< instead of the builtin one
  std::string query_mode = "prepared";
  int clients = 1;
  std::chrono::seconds duration{3};
  std::uint64_t transactions = 0;  ///< of each client, instead of the duration
  bool latencies = false;
};

/// One run of pgbench, all clients in one thread, against a server that has its tables. Sessions may write, also on a
/// read-only compute.
pgbench_result run_pgbench(const std::string& conninfo, const pgbench_shape& shape);

double median(std::vector<double> values);
/// Of values in any order; `part` 0.5 is the median.
double percentile(std::vector<double> values, double part);

}  // namespace strata::bench
