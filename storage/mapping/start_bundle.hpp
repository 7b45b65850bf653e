#pragma once

#include <cstdint>
#include <vector>

#include "pg/types.hpp"
#include "storage/mapping/directory.hpp"

namespace strata::storage::mapping {

/// Which relations an archive of the listed kind holds itself: those that Postgres reads between its start and the end
/// of a client's first query, whatever the query is. Of majors 14 to 18 they were found with strace.
class start_bundle {
 public:
  /// A larger relation is read page by page: a start needs few of its pages.
  static constexpr std::uint32_t relation_blocks_max = 128;
  /// All relations together, 16 MiB: seven databases. Those of the databases with larger numbers are listed.
  static constexpr std::uint32_t blocks_max = 2048;

  explicit start_bundle(const std::vector<database_entry>& databases);

  /// Whether the fork belongs to the bundle; then it counts.
  bool take(const relation_entry& fork);

 private:
  std::vector<pg::oid> templates_;  ///< nobody connects to these
  std::uint32_t blocks_left_ = blocks_max;
};

}  // namespace strata::storage::mapping
