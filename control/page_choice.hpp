#pragma once

#include <optional>
#include <string>

#include "control/scope.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// How the pages of a compute below `directory` come into its data directory: as wanted, or else the best way that this
/// host allows. A failure says why it doesn't allow the wanted one; when none is wanted and all pages have to be
/// copied, a note says why.
host::page_mode choose_pages(const scope& of, std::optional<host::page_mode> wanted, const std::string& directory);

}  // namespace strata::control
