#pragma once

#include <chrono>
#include <string>

#include "core/error.hpp"
#include "page_files/fill_table.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Why pages could not be fetched, for the log: their readers get an error of the system without a reason. For one
/// thread.
class failure_log {
 public:
  using clock = std::chrono::steady_clock;

  /// What to log now, or nothing: at most a line a second, and the same one once a minute, because some ask for a
  /// damaged page again and again.
  std::string line(const page_map& map, const fill_table::fetch& of, const core::error& why,
                   clock::time_point now = clock::now());

 private:
  clock::time_point at_{};
  std::string last_;
};

}  // namespace strata::page_files
