#include "tests/workload/parts.hpp"

namespace strata::tests {

namespace {

// One key of many rows: its heap tids outgrow the entry and get a tree of their own.
void grow_posting_trees(sql_session& session) {
  run_script(session, R"(
    CREATE TABLE crowd (id int, tags int[]);
    CREATE INDEX crowd_tags ON crowd USING gin (tags) WITH (fastupdate = off);
    INSERT INTO crowd SELECT i, ARRAY[1, 1000 + i % 40] FROM generate_series(1, 4000) i;
    INSERT INTO crowd VALUES (0, NULL), (0, '{}'), (0, ARRAY[NULL]::int[]);
    DROP INDEX crowd_tags;
    INSERT INTO crowd SELECT i, ARRAY[CASE WHEN i % 3 = 0 THEN 2 ELSE 1 END, 1000 + i % 40]
      FROM generate_series(4001, 30000) i;
    CREATE INDEX crowd_tags ON crowd USING gin (tags) WITH (fastupdate = off);
    INSERT INTO crowd SELECT i, ARRAY[1] FROM generate_series(30001, 36000) i;
  )");
  // Rows that take the places of dead ones: their heap tids go into the middle of full pages.
  run_script(session, "DELETE FROM crowd WHERE id > 4000 AND id % 3 = 0; VACUUM crowd");
  run_script(session, "INSERT INTO crowd SELECT i, ARRAY[1] FROM generate_series(40001, 46000) i");
}

// Leaves of the tree that become empty are deleted, and used again once no transaction can be on them.
void shrink_posting_trees(sql_session& session) {
  run_script(session, "DELETE FROM crowd WHERE id % 7 = 0; VACUUM crowd");
  run_script(session, "DELETE FROM crowd WHERE ctid BETWEEN '(50,0)' AND '(250,0)'; VACUUM crowd");
  run_script(session, "SELECT txid_current(); SELECT txid_current(); VACUUM crowd");
  run_script(session, "INSERT INTO crowd SELECT i, ARRAY[1, i] FROM generate_series(50001, 52000) i");
}

// Few wide keys make a tree of three levels.
void grow_entry_tree(sql_session& session) {
  run_script(session, R"(
    CREATE TABLE phrase (id int, words text[]);
    CREATE INDEX phrase_words ON phrase USING gin (words) WITH (fastupdate = off);
    INSERT INTO phrase SELECT i, ARRAY[
        (SELECT string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, 36) j), 'short ' || i]
      FROM generate_series(1, 300) i;
    DELETE FROM phrase WHERE id % 2 = 0;
  )");
  run_script(session, "VACUUM phrase");
  run_script(session, "INSERT INTO phrase SELECT i, ARRAY['short ' || i % 50] FROM generate_series(1, 300) i");
}

// Rows wait in a list of pages: small ones one by one at its end, large ones as a chain of pages.
void use_pending_list(sql_session& session) {
  run_script(session, R"(
    CREATE TABLE arrival (id int, tags int[]);
    CREATE INDEX arrival_tags ON arrival USING gin (tags) WITH (fastupdate = on);
    INSERT INTO arrival SELECT 0, array_agg(i) FROM generate_series(1, 3000) i;
    INSERT INTO arrival SELECT i, ARRAY[7, i % 100] FROM generate_series(1, 1500) i;
    INSERT INTO arrival SELECT 0, array_agg(i) FROM generate_series(1, 6000) i;
    INSERT INTO arrival SELECT i, ARRAY[i] FROM generate_series(1, 20) i;
    SELECT gin_clean_pending_list('arrival_tags');
    INSERT INTO arrival SELECT i, ARRAY[7, i % 100] FROM generate_series(1, 3000) i;
    DELETE FROM arrival WHERE id % 3 = 0;
  )");
  run_script(session, "VACUUM arrival");
  run_script(session, "ALTER INDEX arrival_tags SET (gin_pending_list_limit = 64)");
  run_script(session, "INSERT INTO arrival SELECT i, ARRAY[7, 8, 9] FROM generate_series(1, 3000) i");
  run_script(session, R"(
    CREATE TABLE note (body tsvector, facts jsonb);
    CREATE INDEX note_body ON note USING gin (body);
    CREATE INDEX note_facts ON note USING gin (facts jsonb_path_ops);
    INSERT INTO note SELECT to_tsvector('simple', 'note ' || i || ' of ' || i % 9), jsonb_build_object('n', i, 'of', i % 9)
      FROM generate_series(1, 500) i;
  )");
  run_script(session, "VACUUM note");
}

}  // namespace

void exercise_gin(sql_session& session) {
  grow_posting_trees(session);
  shrink_posting_trees(session);
  grow_entry_tree(session);
  use_pending_list(session);
}

}  // namespace strata::tests
