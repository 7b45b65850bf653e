#pragma once

#include <nlohmann/json.hpp>

#include "control/scope.hpp"
#include "storage/metadata/metadata_rebuild.hpp"

namespace strata::control {

/// Rebuilds the metadata of a stopped server; with `force` also if nothing is damaged. Parts that could not be rebuilt
/// are listed in the report and are no failure.
storage::rebuild_report rebuild_metadata(const scope& of, bool force);

/// For programs.
nlohmann::json json_of(const storage::rebuild_report& report);

}  // namespace strata::control
