#pragma once

#include <string>
#include <vector>

namespace strata::cli {

/// Before something is lost. On a terminal it shows the lines and asks for `name`; a failure unless that is typed.
/// Elsewhere, or for JSON, only `yes` passes. `doing`: "can't delete dev".
void confirm(const std::string& doing, const std::string& name, const std::vector<std::string>& lines, bool yes);

}  // namespace strata::cli
