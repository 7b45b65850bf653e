#pragma once

#include <sys/types.h>

#include <vector>

namespace strata::bench {

/// A process and all that descend from it, those of one that has ended excepted.
std::vector<pid_t> family_of(pid_t ancestor);

struct process_costs {
  double memory_megabytes = 0;  ///< proportional set size: shared pages in equal parts
  double cpu_seconds = 0;
};

/// Of all of them together; of those that have ended nothing.
process_costs costs_of(const std::vector<pid_t>& processes);

}  // namespace strata::bench
