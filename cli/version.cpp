#include "cli/version.hpp"

namespace strata::cli {

const char* const version = STRATA_VERSION;

}  // namespace strata::cli
