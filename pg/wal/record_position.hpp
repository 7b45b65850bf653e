#pragma once

#include <cstdint>

#include "core/lsn.hpp"
#include "pg/types.hpp"

namespace strata::pg::wal {

/// Position of a byte of a record whose header begins at `start`. Page headers, which may divide the record, are not
/// counted.
core::lsn position_in_record(core::lsn start, std::uint64_t byte,
                             std::uint32_t segment_size = default_wal_segment_size);

}  // namespace strata::pg::wal
