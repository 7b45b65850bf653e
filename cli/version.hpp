#pragma once

namespace strata::cli {

/// As the build says, "0.1.0".
extern const char* const version;

}  // namespace strata::cli
