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
  std::uint64_t status_files = 0;  ///< pg_xact and the like, relation maps
  /// Pages at the end of a file that Postgres has added and not yet used: they are not in WAL.
  std::uint64_t unlogged_empty_pages = 0;
  std::uint64_t difference_count = 0;
  std::vector<std::string> differences;  ///< the first few dozen

  void differ(std::string what);
  [[nodiscard]] std::string text() const;
};

struct comparison_options {
  /// Databases made by CREATE DATABASE ... STRATEGY = WAL_LOG, and copies of them: copied visibility maps and BRIN's
  /// range maps are not in WAL (docs/redo.md).
  std::set<pg::oid> copied_through_wal{};
  /// The files are of a running compute, which has not written every LSN to its pages, and works without
  /// full_page_writes.
  bool of_compute = false;
};

/// Every page of the main, vm and init forks of a cluster that writes nothing against the page that the page service
/// gives at `at`; LSNs count. Sizes as well. Throws std::runtime_error if the control file can't be read.
comparison_report compare_with_files(const std::filesystem::path& data_directory, pagestream_client& strata,
                                     core::lsn at, const comparison_options& options = {});

/// The same pages against those of `copy`, a plain data directory of the same cluster at the end of its WAL; then the
/// status files and relation maps. `data_directory` may be a running compute's: what is missing in it is filled in by
/// being read.
comparison_report compare_directories(const std::filesystem::path& data_directory, const std::filesystem::path& copy,
                                      const comparison_options& options = {.of_compute = true});

}  // namespace strata::tests
