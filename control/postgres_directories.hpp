#pragma once

#include <string>

namespace strata::control {

/// Directories of Postgres programs, separated by ':', absolute; a failure that names `option` when one has none.
std::string checked_pg_bin(const std::string& directories, const std::string& option);

}  // namespace strata::control
