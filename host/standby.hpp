#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/lsn.hpp"
#include "pg/wire/safekeeper_identity.hpp"

namespace strata::host {

/// Where a standby begins, and the head of its branch for which that is the place.
struct standby_place {
  core::lsn at;
  core::lsn standby_of;
};

/// Where the WAL of a branch can be had: only what a quorum has committed, or what a source has flushed.
struct wal_upstream {
  std::string conninfo;
  std::string name;                                         ///< "safekeeper 2", for people
  std::optional<pg::wire::safekeeper_identity> expected{};  ///< none: a source
  std::uint32_t count = 1;                                  ///< how many of its kind there are
};

}  // namespace strata::host
