#include "tests/workload/parts.hpp"

namespace strata::tests {

// The resource manager Generic serves index types of extensions.
void exercise_generic(sql_session& session) {
  run_script(session, R"(
    CREATE EXTENSION bloom;
    CREATE TABLE filtered (a int, b int);
    CREATE INDEX filtered_bloom ON filtered USING bloom (a, b);
    INSERT INTO filtered SELECT i, i % 7 FROM generate_series(1, 2000) i;
    DELETE FROM filtered WHERE a % 3 = 0;
    VACUUM filtered;
    INSERT INTO filtered SELECT i, i % 7 FROM generate_series(1, 500) i;
  )");
}

}  // namespace strata::tests
