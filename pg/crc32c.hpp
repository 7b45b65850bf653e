#pragma once

#include <cstdint>

#include "core/bytes.hpp"

namespace strata::pg {

/// CRC-32C (Castagnoli) as Postgres uses it for WAL records, pg_control and two-phase files: start with crc32c_begin,
/// feed bytes, end with crc32c_end. Uses SSE4.2 where the processor has it, a table elsewhere.
inline constexpr std::uint32_t crc32c_begin = 0xFFFFFFFFu;
std::uint32_t crc32c_update(std::uint32_t crc, core::bytes_view data);
constexpr std::uint32_t crc32c_end(std::uint32_t crc) { return crc ^ 0xFFFFFFFFu; }

/// The table version alone, for tests that compare the two.
std::uint32_t crc32c_update_portable(std::uint32_t crc, core::bytes_view data);

inline std::uint32_t crc32c(core::bytes_view data) { return crc32c_end(crc32c_update(crc32c_begin, data)); }

}  // namespace strata::pg
