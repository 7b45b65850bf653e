#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/records.hpp"

/// Which side files there are, how many versions of them stay, and which one holds at an LSN. Pure.
namespace strata::storage {

enum class side_file_kind : std::uint8_t {
  settings,    ///< postgresql.auto.conf, postgresql.conf, pg_hba.conf, pg_ident.conf
  statistics,  ///< pg_stat/*.stat
  prewarm,     ///< autoprewarm.blocks
};
/// errc::invalid_argument, naming those there are.
core::result<side_file_kind> side_file_kind_of(std::string_view name);

struct side_file_limits {
  std::uint64_t size_max = 0;    ///< of a content, in bytes
  std::size_t versions_max = 0;  ///< of one file in one timeline, beside those that branches and leases need
};
side_file_limits limits_of(side_file_kind kind);
/// Different files of one timeline: with the databases of a Postgres 14 there may be many.
inline constexpr std::size_t side_file_names_max = 64;

/// The version of `name` that holds at `at`: of those at or below it the one with the highest number, with
/// `proven_only` of those with which Postgres has started. Null: none does. `all`: of one timeline, by number.
const side_file_record* side_file_at(std::span<const side_file_record> all, std::string_view name, core::lsn at,
                                     bool proven_only);

/// The numbers of those versions that may go: the ones that no point at or above `cutoff`, and none of the `kept` below
/// it, needs; and while a file has more versions than its limit, the one that held over the shortest stretch of WAL.
/// The version that holds at the head stays, and the last one that is proven, and those that a kept point needs.
std::vector<std::uint64_t> removable_side_files(std::span<const side_file_record> all, core::lsn cutoff,
                                                std::span<const core::lsn> kept);

}  // namespace strata::storage
