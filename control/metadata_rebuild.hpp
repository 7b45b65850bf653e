#pragma once

#include <nlohmann/json.hpp>

#include "control/scope.hpp"
#include "storage/metadata/metadata_rebuild.hpp"

namespace strata::control {

/// Rebuilds the metadata of a server that is down; with `force` although nothing is damaged. What could not be rebuilt
/// is in the report, and no failure.
storage::rebuild_report rebuild_metadata(const scope& of, bool force);

/// For programs.
nlohmann::json json_of(const storage::rebuild_report& report);

}  // namespace strata::control
