#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_brin(sql_session&) {}

}  // namespace strata::tests
