#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_spgist(sql_session&) {}

}  // namespace strata::tests
