#include "core/check.hpp"
#include "tests/model_check/cells.hpp"

namespace strata::core {

/// Stands in for the one of core/check.cpp, which ends the process: here the way to the broken invariant is wanted.
void broken_invariant(std::string_view what, std::source_location /*where*/) {
  throw tests::model_check::violation("an invariant of the machines: " + std::string(what));
}

}  // namespace strata::core
