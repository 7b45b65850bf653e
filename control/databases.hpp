#pragma once

#include <cstdint>
#include <string>

#include "control/branches.hpp"
#include "control/cluster_template.hpp"
#include "control/scope.hpp"
#include "control/sources.hpp"

/// Databases without a source: tenants whose branch main is written through safekeepers.
namespace strata::control {

struct new_database {
  source_entry source;
  int major = 0;
  std::uint64_t bytes = 0;  ///< read
};

/// Creates an empty one. `request.major` 0: the newest Postgres that is installed. Nothing is left when it fails.
new_database create_database(const scope& of, const std::string& name, cluster_request request);

/// Creates one from the data directory of a Postgres that is shut down, or an archive of it, which the server reads.
/// Nothing is left when it fails.
new_database import_database(const scope& of, const std::string& name, const std::string& path);

/// What the deletion of one takes away; remove_source() then does it. `name` is the whole name, or the id. A failure
/// names `source remove` for one that follows a source.
source_removal plan_database_deletion(const scope& of, const std::string& name);

}  // namespace strata::control
