#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_hash(sql_session& session) {
  // One bucket gets a long chain of overflow pages. Thinning the chain out moves tuples between its pages and frees
  // those at its end.
  run_script(session, R"(
    CREATE TABLE chain (key int, id int);
    CREATE INDEX chain_key ON chain USING hash (key);
    INSERT INTO chain SELECT i % 4, i FROM generate_series(1, 9000) i;
  )");
  run_script(session, "DELETE FROM chain WHERE id % 3 <> 0; VACUUM chain");
  run_script(session, "INSERT INTO chain SELECT i % 4, i FROM generate_series(1, 3000) i");
  run_script(session, "DELETE FROM chain WHERE id % 7 < 2; VACUUM chain");
  run_script(session, "DELETE FROM chain WHERE key = 1; VACUUM chain");
  run_script(session, "INSERT INTO chain SELECT 1, i FROM generate_series(1, 2500) i");
  run_script(session, "DELETE FROM chain; VACUUM chain; INSERT INTO chain VALUES (1, 1)");

  // Few entries per bucket: many splits, over several sizes of the table of buckets. VACUUM finishes what they leave.
  run_script(session, R"(
    CREATE TABLE split (key int);
    CREATE INDEX split_key ON split USING hash (key) WITH (fillfactor = 10);
    INSERT INTO split SELECT i FROM generate_series(1, 9000) i;
    VACUUM split;
  )");
  run_script(session, "DELETE FROM split WHERE key % 2 = 0; VACUUM split");
  run_script(session, "INSERT INTO split SELECT i FROM generate_series(9001, 27500) i");
  run_script(session, "DELETE FROM split WHERE key % 5 <> 0; VACUUM split");

  // The number of buckets at the start comes from the number of rows.
  run_script(session, R"(
    CREATE TABLE built (key text);
    INSERT INTO built SELECT md5(i::text) FROM generate_series(1, 21500) i;
    CREATE INDEX built_key ON built USING hash (key) WITH (fillfactor = 10);
    INSERT INTO built SELECT md5(i::text) FROM generate_series(1, 500) i;
  )");

  // Dead entries that a scan has marked go when the next insert needs their room, or with VACUUM.
  run_script(session, R"(
    CREATE TABLE marked (key int, id int);
    CREATE INDEX marked_key ON marked USING hash (key);
    INSERT INTO marked SELECT i % 2, i FROM generate_series(1, 1600) i;
    DELETE FROM marked WHERE id % 2 = 0 OR id % 7 = 0;
    SET enable_seqscan = off; SET enable_bitmapscan = off;
  )");
  run_script(session, "SELECT count(id) FROM marked WHERE key = 0; SELECT count(id) FROM marked WHERE key = 1");
  run_script(session, "INSERT INTO marked SELECT i % 2, i FROM generate_series(1, 1600) i");
  run_script(session, "DELETE FROM marked WHERE id % 5 = 0; SELECT count(id) FROM marked WHERE key = 0; VACUUM marked");
  run_script(session, "RESET enable_seqscan; RESET enable_bitmapscan");
}

}  // namespace strata::tests
