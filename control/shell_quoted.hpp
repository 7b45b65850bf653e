#pragma once

#include <string>

namespace strata::control {

/// One word for a shell, quoted only if it has to be.
std::string shell_quoted(const std::string& text);

}  // namespace strata::control
