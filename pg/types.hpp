#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "core/clock.hpp"

namespace strata::pg {

/// Postgres's basic types and constants. Sizes hold for every build that Strata supports.
inline constexpr std::size_t page_size = 8192;
inline constexpr std::size_t wal_page_size = 8192;
inline constexpr std::uint32_t default_wal_segment_size = 16u << 20;
/// Blocks of one relation segment file (1 GiB).
inline constexpr std::uint32_t blocks_per_relation_segment = 131072;
/// Pages of one SLRU segment file.
inline constexpr std::uint32_t pages_per_slru_segment = 32;

using oid = std::uint32_t;
using transaction_id = std::uint32_t;
using multixact_id = std::uint32_t;
using block_number = std::uint32_t;
inline constexpr block_number invalid_block = 0xFFFFFFFF;
/// Microseconds since 2000-01-01 00:00:00 UTC.
using timestamp = std::int64_t;
core::wall_time wall_time_of(timestamp time);
timestamp timestamp_of(core::wall_time time);

inline constexpr oid default_tablespace = 1663;
inline constexpr oid global_tablespace = 1664;

enum class fork : std::uint8_t { main = 0, fsm = 1, vm = 2, init = 3 };
inline constexpr std::size_t fork_count = 4;

/// One file of one relation: what Postgres's storage manager calls a relfilenode and a fork.
struct relation_fork {
  oid tablespace = 0;
  oid database = 0;  ///< 0 for relations shared by all databases
  oid relation = 0;
  pg::fork fork = fork::main;
  auto operator<=>(const relation_fork&) const = default;
};

/// "1663/5/16384", followed by "_vm" and so on for forks other than main.
std::string to_string(const relation_fork& of);

/// The page-status caches of Postgres that are addressed by transaction or multixact number. Part of keys on disk:
/// never renumber. A cluster has commit_ts files only while track_commit_timestamp is on.
enum class slru_kind : std::uint8_t { clog = 0, multixact_members = 1, multixact_offsets = 2, commit_ts = 3 };
inline constexpr std::array<slru_kind, 4> slru_kinds{slru_kind::clog, slru_kind::multixact_members,
                                                     slru_kind::multixact_offsets, slru_kind::commit_ts};

/// A supported major version of Postgres.
enum class major_version : std::uint8_t { v14 = 14, v15 = 15, v16 = 16, v17 = 17, v18 = 18 };

}  // namespace strata::pg

template <>
struct std::hash<strata::pg::relation_fork> {
  std::size_t operator()(const strata::pg::relation_fork& of) const noexcept {
    std::uint64_t mixed = std::uint64_t{of.relation} << 8 | static_cast<std::uint8_t>(of.fork);
    mixed ^= (std::uint64_t{of.database} << 32 | of.tablespace) * 0x9E3779B97F4A7C15u;
    mixed *= 0xd6e8feb86659fd93u;
    return mixed ^ mixed >> 32;
  }
};
