#pragma once

#include <cstdint>
#include <string>

#include "pg/types.hpp"

namespace strata::page_files {

/// One segment file of a relation fork in a data directory: its content is `pages` pages of the page service, from
/// block `segment * pg::blocks_per_relation_segment`.
struct relation_file {
  std::string path;  ///< below the data directory: "base/5/16384_vm.1"
  pg::relation_fork relation;
  std::uint32_t segment = 0;
  std::uint32_t pages = 0;  ///< at most pg::blocks_per_relation_segment
  bool operator==(const relation_file&) const = default;
};

}  // namespace strata::page_files
