#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_brin(sql_session& session) {
  // One row per heap block: more ranges than one page of the range map holds, so the map takes over a block of
  // summaries.
  run_script(session, R"(
    CREATE TABLE ranges (key text COLLATE "C", filler text);
    ALTER TABLE ranges ALTER key SET STORAGE PLAIN;
    ALTER TABLE ranges ALTER filler SET STORAGE PLAIN;
    CREATE INDEX ranges_key ON ranges USING brin (key) WITH (pages_per_range = 1);
    INSERT INTO ranges SELECT md5(i::text), repeat('f', 4500) FROM generate_series(1, 600) i;
  )");
  run_script(session, "VACUUM ranges");
  run_script(session, "INSERT INTO ranges SELECT md5(i::text), repeat('f', 4500) FROM generate_series(601, 1500) i");
  run_script(session, "SELECT brin_summarize_new_values('ranges_key')");

  // Summaries that grow: in place, onto another page, onto a new page.
  run_script(session, R"(
    CREATE TABLE growing (id int, key text COLLATE "C");
    ALTER TABLE growing ALTER key SET STORAGE PLAIN;
    ALTER TABLE growing SET (fillfactor = 20);
    INSERT INTO growing SELECT i, chr(107 + i % 5) || repeat('k', 150) FROM generate_series(1, 600) i;
    CREATE INDEX growing_key ON growing USING brin (key) WITH (pages_per_range = 2);
  )");
  run_script(session, "UPDATE growing SET key = 'b' || repeat('l', 150) WHERE id % 40 = 0");
  run_script(session, "UPDATE growing SET key = 'a' || repeat('l', 300 + id % 900) WHERE id % 25 = 0");
  run_script(session, "SELECT brin_desummarize_range('growing_key', 2), brin_desummarize_range('growing_key', 8)");
  run_script(session, "SELECT brin_summarize_range('growing_key', 2)");
  run_script(session, "UPDATE growing SET key = 'z' || repeat('l', 1000 + id % 500) WHERE id % 30 = 0");
  run_script(session, "SELECT count(brin_desummarize_range('growing_key', i)) FROM generate_series(0, 60, 6) i");
  run_script(session, "SELECT brin_summarize_new_values('growing_key')");
  run_script(session, "VACUUM growing");

  // A summary of fixed size is overwritten where it is.
  run_script(session, R"(
    CREATE TABLE narrow (key int);
    CREATE INDEX narrow_key ON narrow USING brin (key) WITH (pages_per_range = 4);
    INSERT INTO narrow SELECT i FROM generate_series(1, 4000) i;
  )");
  run_script(session, "VACUUM narrow");
  run_script(session, "INSERT INTO narrow SELECT (i * 7919) % 9000 FROM generate_series(1, 4000) i");
  run_script(session, "REINDEX INDEX narrow_key");
}

}  // namespace strata::tests
