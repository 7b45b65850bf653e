#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_gist(sql_session&) {}

}  // namespace strata::tests
