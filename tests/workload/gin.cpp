#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_gin(sql_session&) {}

}  // namespace strata::tests
