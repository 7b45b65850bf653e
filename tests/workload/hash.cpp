#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_hash(sql_session&) {}

}  // namespace strata::tests
