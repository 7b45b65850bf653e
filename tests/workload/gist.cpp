#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_gist(sql_session& session) {
  // Wide keys make a tree of several levels with few rows: splits of leaves, inner pages and the root.
  run_script(session, R"(
    CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
    CREATE TABLE span (id int, reach textrange);
    ALTER TABLE span ALTER reach SET STORAGE PLAIN;
    CREATE INDEX span_reach ON span USING gist (reach);
    INSERT INTO span SELECT i, textrange(md5(i::text), md5(i::text) || repeat('k', 900)) FROM generate_series(1, 600) i;
  )");
  run_script(session, "DELETE FROM span WHERE id % 5 > 0; VACUUM span");
  run_script(session, R"(
    INSERT INTO span SELECT i, textrange(md5(i::text), md5(i::text) || repeat('m', 600)) FROM generate_series(1, 200) i
  )");

  // One key that fills a page, among many small ones: halves are halved until it has room.
  run_script(session, R"(
    CREATE TABLE mixed (id int, reach textrange);
    ALTER TABLE mixed ALTER reach SET STORAGE PLAIN;
    CREATE INDEX mixed_reach ON mixed USING gist (reach);
    INSERT INTO mixed SELECT i, textrange('a', 'c') FROM generate_series(1, 280) i;
    INSERT INTO mixed VALUES (0, textrange('a', 'c' || repeat('k', 7900)));
    INSERT INTO mixed SELECT i, textrange('a', 'c') FROM generate_series(1, 900) i;
  )");

  // Leaves that VACUUM finds empty leave the tree, and are taken again once nobody can be on the way to them.
  run_script(session, R"(
    CREATE TABLE spot (id int, place point);
    CREATE INDEX spot_place ON spot USING gist (place);
    INSERT INTO spot SELECT i, point(random() * 1000, random() * 1000) FROM generate_series(1, 8000) i;
    INSERT INTO spot SELECT i, point(i % 40, i % 25) FROM generate_series(1, 2000) i;
  )");
  run_script(session, "DELETE FROM spot WHERE place[0] < 700; VACUUM spot");
  run_script(session, "SELECT txid_current(); SELECT txid_current(); VACUUM spot");
  run_script(session, "INSERT INTO spot SELECT i, point(random() * 700, i % 90) FROM generate_series(1, 4000) i");

  // Dead entries that a scan has marked go when an insert needs their room.
  run_script(session, R"(
    CREATE TABLE mover (id int, place point);
    CREATE INDEX mover_place ON mover USING gist (place);
    INSERT INTO mover SELECT i, point(i % 50, i % 7) FROM generate_series(1, 1500) i;
    SET enable_seqscan = off; SET enable_bitmapscan = off;
  )");
  for (int i = 1; i <= 3; ++i) {
    run_script(session, "DELETE FROM mover WHERE id % 4 = " + std::to_string(i));
    run_script(session, "SELECT count(id) FROM mover WHERE place <@ box '(0,0),(50,50)'");
    run_script(session, "INSERT INTO mover SELECT i, point(i % 50, i % 7) FROM generate_series(1, 900) i");
  }
  run_script(session, "RESET enable_seqscan; RESET enable_bitmapscan; DELETE FROM mover; VACUUM mover");
  run_script(session, "REINDEX INDEX span_reach");
}

}  // namespace strata::tests
