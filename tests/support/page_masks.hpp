#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "pg/types.hpp"

namespace strata::tests {

using page_bytes = std::array<std::uint8_t, pg::page_size>;

enum class page_kind { visibility_map, heap, btree, sequence, other };

/// By what its special space looks like.
page_kind kind_of(const page_bytes& page, pg::fork in_fork);

enum class lsn_counts { no, yes };

/// The page without what Postgres does not log: hint bits, command ids, checksum, the hole (facts/wal-redo.md §4.2, but
/// stricter for heap tuples; of the visibility map every bit counts).
page_bytes masked(const page_bytes& from, page_kind kind, pg::block_number block, lsn_counts lsn);

/// "byte 34: ours 1 2 3 ..., theirs ..."
std::string first_difference(const page_bytes& ours, const page_bytes& theirs);

bool all_zero(const page_bytes& page);

}  // namespace strata::tests
