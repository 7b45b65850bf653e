#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace strata::pg::client {

/// Which options a libpq connection string or URI gives a value to: "host", "port", ... errc::invalid_argument when
/// libpq can't read it.
core::result<std::vector<std::string>> options_named_in(const std::string& conninfo);

}  // namespace strata::pg::client
