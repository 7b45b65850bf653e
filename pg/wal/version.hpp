#pragma once

#include <cstdint>

#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::wal {

/// The magic number at the start of each WAL page of a major version (docs/formats/wal_records.md).
std::uint16_t page_magic(major_version major);
core::result<major_version> major_of_magic(std::uint16_t magic);

/// pg_control's version and catalog numbers of a major.
std::uint32_t control_version(major_version major);
std::uint32_t catalog_version(major_version major);

/// Resource managers: ids are the same in every supported major. On-disk numbers, never renumber.
enum class resource_manager : std::uint8_t {
  xlog = 0,
  transaction = 1,
  storage = 2,
  clog = 3,
  database = 4,
  tablespace = 5,
  multixact = 6,
  relmap = 7,
  standby = 8,
  heap2 = 9,
  heap = 10,
  btree = 11,
  hash = 12,
  gin = 13,
  gist = 14,
  sequence = 15,
  spgist = 16,
  brin = 17,
  commit_ts = 18,
  replication_origin = 19,
  generic = 20,
  logical_message = 21,
};

/// Ids from here on belong to extensions, since Postgres 15: the extension defines its records.
inline constexpr std::uint8_t first_custom_manager = 128;
constexpr bool is_custom(resource_manager manager) {
  return static_cast<std::uint8_t>(manager) >= first_custom_manager;
}

/// "Heap", "Btree"...; "custom(130)" for ids that are not built in.
std::string to_string(resource_manager manager);

}  // namespace strata::pg::wal
