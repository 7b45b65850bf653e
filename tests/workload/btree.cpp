#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_btree(sql_session& session) {
  // Duplicates in random order: dedup, and inserts into posting lists and splits of them.
  run_script(session, R"(
    CREATE TABLE duplicate (key int, filler int);
    CREATE INDEX duplicate_key ON duplicate (key);
    INSERT INTO duplicate SELECT (random() * 20)::int, i FROM generate_series(1, 12000) i;
  )");
  run_script(session, "DELETE FROM duplicate WHERE filler % 3 = 0; VACUUM duplicate");
  run_script(session, "INSERT INTO duplicate SELECT (random() * 20)::int, i FROM generate_series(1, 6000) i");
  run_script(session, "DELETE FROM duplicate WHERE key < 15");
  run_script(session, "VACUUM duplicate");
  run_script(session, "VACUUM duplicate");
  run_script(session, "INSERT INTO duplicate SELECT (random() * 20)::int, i FROM generate_series(1, 3000) i");

  // Wide keys make a tree of several levels with few rows; emptying it deletes pages of all levels.
  run_script(session, R"(
    CREATE TABLE wide (key text COLLATE "C");
    ALTER TABLE wide ALTER key SET STORAGE PLAIN;
    CREATE INDEX wide_key ON wide (key);
    INSERT INTO wide SELECT md5(i::text) || repeat('k', 1200) FROM generate_series(1, 1500) i;
  )");
  run_script(session, "DELETE FROM wide WHERE key > '1'; VACUUM wide");
  run_script(session, "SELECT txid_current()");
  run_script(session, "VACUUM wide");
  run_script(session, "INSERT INTO wide SELECT md5(i::text) || repeat('k', 1200) FROM generate_series(1, 800) i");
  run_script(session, "DELETE FROM wide; VACUUM wide");
  run_script(session, "INSERT INTO wide SELECT md5(i::text) || repeat('k', 1200) FROM generate_series(1, 200) i");

  // Dead entries that a scan has marked go when the next insert needs their room.
  run_script(session, R"(
    CREATE TABLE churn (id int, version int, constant int);
    CREATE INDEX churn_id ON churn (id);
    CREATE INDEX churn_constant ON churn (constant);
    CREATE UNIQUE INDEX churn_version ON churn (version);
    INSERT INTO churn SELECT i, i, 7 FROM generate_series(1, 700) i;
    SET enable_seqscan = off; SET enable_bitmapscan = off;
  )");
  for (int i = 1; i <= 8; ++i) {
    run_script(session, "UPDATE churn SET version = version + 700");
    run_script(session, "SELECT count(*) FROM churn WHERE id > 0; SELECT count(version) FROM churn WHERE version > 0");
  }
  run_script(session, "DELETE FROM churn WHERE id % 2 = 0; SELECT count(version) FROM churn WHERE version > 0");
  run_script(
      session,
      "SELECT count(id) FROM churn WHERE id > 0; INSERT INTO churn SELECT i, -i, 7 FROM generate_series(1, 700) i");
  run_script(session, "RESET enable_seqscan; RESET enable_bitmapscan");
  run_script(session, "REINDEX INDEX churn_id");
}

}  // namespace strata::tests
