#pragma once

#include <compare>
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

/// A file on this machine, by identity instead of by name: a name is given to another file once a relation is dropped.
struct inode_id {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const inode_id&) const = default;
};

/// A relation file that was created, without any of its pages.
struct sparse_file {
  relation_file file;
  inode_id inode;
};

}  // namespace strata::page_files
