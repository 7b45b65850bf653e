#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace strata::pg::client {

/// The options that a libpq connection string or URI sets: "host", "port", ... errc::invalid_argument when libpq can't
/// parse it.
core::result<std::vector<std::string>> options_named_in(const std::string& conninfo);

}  // namespace strata::pg::client
