#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "page_files/page_map.hpp"

namespace strata::tests {

/// Descriptions of files of so many pages each: base/5/16384 and on, segments 0 to 2 in turn, inodes 1000 and on.
inline std::vector<page_files::sparse_file> described_files(const std::vector<std::uint32_t>& pages) {
  std::vector<page_files::sparse_file> files;
  for (const std::uint32_t each : pages) {
    const auto number = static_cast<std::uint32_t>(files.size());
    files.push_back({{.path = "base/5/" + std::to_string(16384 + number),
                      .relation = {pg::default_tablespace, 5, 16384 + number, pg::fork::main},
                      .segment = number % 3,
                      .pages = each},
                     {.device = 7, .inode = 1000 + number}});
  }
  return files;
}

inline page_files::page_map made_map(const std::vector<std::uint32_t>& pages) {
  auto made = page_files::page_map::make(described_files(pages));
  BOOST_TEST_REQUIRE(made.has_value());
  return std::move(*made);
}

}  // namespace strata::tests
