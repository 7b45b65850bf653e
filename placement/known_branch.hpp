#pragma once

#include <optional>
#include <string_view>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"

namespace strata::placement {

/// A branch of a tenant as creation and deletion see it. The name stays the owner's.
struct known_branch {
  enum class phase {
    creating,
    present,
    replacing,  ///< a reset is under way: it can be read, not changed
    deleting
  };

  core::timeline_id id;
  std::string_view name;
  phase in = phase::present;
  std::optional<core::timeline_id> ancestor;  ///< absent: it follows a source
  core::lsn ancestor_lsn;                     ///< 0 while it is being created: not decided yet
  bool deletion_protected = false;
  std::optional<core::wall_time> expires;
};

}  // namespace strata::placement
