#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/page_key.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

/// Pages and sizes of a cluster as of an LSN.
struct cluster_summary {
  /// The pages that exist, in key order; without empty ranges.
  std::vector<core::key_range> pages;
  std::uint64_t relation_bytes = 0;  ///< all forks of all relations of all databases, shared ones included
  std::uint64_t relation_forks = 0;
  std::uint64_t databases = 0;  ///< directories of relations: one for each tablespace that a database uses
  std::uint64_t two_phase = 0;  ///< prepared transactions
  std::array<std::uint64_t, 3> slru_segments{};  ///< by pg::slru_kind
};

/// Preconditions of timeline_store::scan. May block.
core::result<cluster_summary> summarize(const timeline_store& store, core::lsn at);

/// Ranges of values that are no pages: reading them needs no redo.
std::vector<core::key_range> sparse_ranges();

}  // namespace strata::storage::mapping
