#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/postgres_install.hpp"

namespace strata::bench {

struct pgbench_result {
  double tps = 0;
  std::vector<double> latencies_ms;  ///< of each transaction, ascending

  [[nodiscard]] double percentile(double part) const;
};

/// One run of pgbench -N (simple update: one row of one account, a teller's and a branch's are left out) against a
/// server that has its tables.
pgbench_result run_pgbench(const std::string& conninfo, int clients, std::chrono::seconds duration);

double median(std::vector<double> values);

}  // namespace strata::bench
