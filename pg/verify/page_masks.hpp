#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "pg/types.hpp"

namespace strata::pg::verify {

using page_bytes = std::array<std::uint8_t, page_size>;

enum class page_kind { visibility_map, heap, btree, hash, gin, gist, sequence, spgist, brin, other };

/// By the format of its special space.
page_kind kind_of(const page_bytes& page, fork in_fork);

enum class lsn_counts { no, yes };

/// The page without what Postgres does not log: hint bits, command ids, marks of dead index entries, checksum, the hole
/// (as src/backend/access/common/bufmask.c in Postgres, but stricter for heap tuples; every bit of the visibility map
/// counts).
page_bytes masked(const page_bytes& from, page_kind kind, block_number block, lsn_counts lsn);

/// "bytes 34-36, 99 and 9 more; from the first on: ours 1 2 3 ..., theirs ..."
std::string describe_difference(const page_bytes& ours, const page_bytes& theirs);

bool all_zero(const page_bytes& page);

}  // namespace strata::pg::verify
