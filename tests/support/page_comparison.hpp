#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "tests/support/pagestream_client.hpp"

namespace strata::tests {

struct comparison_report {
  std::uint64_t relations = 0;  ///< forks
  std::uint64_t pages = 0;
  std::uint64_t visibility_pages = 0;
  /// Pages at the end of a file that Postgres has added and not yet used: they are not in WAL.
  std::uint64_t unlogged_empty_pages = 0;
  std::uint64_t difference_count = 0;
  std::vector<std::string> differences;  ///< the first few dozen

  void differ(std::string what);
  [[nodiscard]] std::string text() const;
};

struct comparison_options {
  /// Databases made by CREATE DATABASE ... STRATEGY = WAL_LOG: the copied visibility maps are not in WAL
  /// (docs/redo.md).
  std::set<pg::oid> without_visibility_map{};
};

/// Every page of the main, vm and init forks of a cleanly stopped cluster against the page that the page service gives
/// at `at`; LSNs count. Sizes as well.
comparison_report compare_with_files(const std::filesystem::path& data_directory, pagestream_client& strata,
                                     core::lsn at, const comparison_options& options = {});

}  // namespace strata::tests
