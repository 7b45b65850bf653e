#pragma once

#include <string>
#include <vector>

#include "control/branches.hpp"
#include "control/scope.hpp"

namespace strata::control {

struct promoted_source {
  source_entry source;
  std::string branch;                 ///< which followed it
  core::lsn at;                       ///< its own WAL begins here
  std::string left_at_source;         ///< WAL that did not arrive, in words; empty: none
  nlohmann::json slots_left;          ///< replication slots that stay at the source
  std::vector<std::string> standbys;  ///< computes that were started again, on the safekeepers
};

/// Ends the following of a source, and makes its branch writable through safekeepers. Waits, with progress, while the
/// branch catches up; a failure says what is missing, and nothing has changed. `force`: also without WAL that has not
/// arrived. Running standbys of the branch are started again: what they received from the source may go further.
promoted_source promote_source(const scope& of, const std::string& name, bool force);

}  // namespace strata::control
