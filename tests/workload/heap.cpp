#include "tests/workload/parts.hpp"

namespace strata::tests {

namespace {

void make_tables(sql_session& session) {
  run_script(session, R"(
    SELECT setseed(0.42);
    CREATE TABLE account (id serial PRIMARY KEY, branch int, balance int, note text) WITH (fillfactor = 80);
    CREATE INDEX account_branch ON account (branch);
    CREATE TABLE event (id int, at int, what text);
    CREATE INDEX event_id ON event (id);
    CREATE INDEX event_at ON event (at DESC, what);
    CREATE TABLE document (id int PRIMARY KEY, body text);
    ALTER TABLE document ALTER body SET STORAGE EXTERNAL;
    CREATE TABLE parent (id int PRIMARY KEY, name text);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
    CREATE TABLE part (id int, area int) PARTITION BY LIST (area);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
    CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
    CREATE SEQUENCE number CACHE 1;
  )");
}

void insert_rows(sql_session& session, const std::string& directory) {
  run_script(session, R"(
    INSERT INTO account (branch, balance, note)
      SELECT i % 40, 0, repeat('x', (random() * 60)::int) FROM generate_series(1, 4000) i;
    INSERT INTO event SELECT (random() * 100000)::int, i, 'event ' || i FROM generate_series(1, 4000) i;
    INSERT INTO parent SELECT i, 'parent ' || i FROM generate_series(1, 200) i;
    INSERT INTO child SELECT i, 1 + i % 200 FROM generate_series(1, 1000) i;
    INSERT INTO part SELECT i, 1 + i % 2 FROM generate_series(1, 400) i;
  )");
  run_script(session, "COPY event TO '" + directory + "/event.copy'");
  run_script(session, "COPY event FROM '" + directory + "/event.copy'");
  run_script(session, "BEGIN; TRUNCATE event; COPY event FROM '" + directory + "/event.copy' WITH (FREEZE); COMMIT");
  run_script(session, "INSERT INTO event SELECT * FROM event WHERE at % 3 = 0");
}

void update_and_delete(sql_session& session) {
  run_script(session, "UPDATE account SET balance = balance + 1 WHERE id % 3 = 0");
  run_script(session, "UPDATE account SET note = note || '!' WHERE id % 7 = 0");
  run_script(session, "UPDATE account SET branch = branch + 1 WHERE id % 11 = 0");
  run_script(session, "UPDATE account SET note = repeat('long', 200) WHERE id % 101 = 0");
  run_script(session, "DELETE FROM account WHERE id % 13 = 0");
  run_script(session, "DELETE FROM event WHERE at BETWEEN 1000 AND 3000");
  run_script(session, "UPDATE part SET area = 3 - area WHERE id % 3 = 0");
  run_script(session, "UPDATE parent SET name = name || ' renamed' WHERE id % 2 = 0");
  for (int i = 0; i < 300; ++i)
    run_script(session, "UPDATE account SET balance = balance + 1 WHERE id = " + std::to_string(1 + i % 37));
}

void use_savepoints(sql_session& session) {
  for (int i = 0; i < 20; ++i) {
    const std::string id = std::to_string(2 + i * 40);
    run_script(session, "BEGIN; UPDATE account SET balance = 1 WHERE id = " + id +
                            "; SAVEPOINT a; UPDATE account SET balance = 2 WHERE id = " + id +
                            "; SAVEPOINT b; DELETE FROM account WHERE id = " + id +
                            "; ROLLBACK TO a; SELECT * FROM account WHERE id = " + id + " FOR UPDATE; " +
                            (i % 3 == 0 ? "ROLLBACK" : "COMMIT"));
  }
  run_script(session, R"(
    INSERT INTO parent VALUES (1, 'again'), (1001, 'new') ON CONFLICT (id) DO NOTHING;
    INSERT INTO parent VALUES (2, 'again'), (1002, 'new') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
  )");
}

// Two transactions at once: shared locks become multixacts, and a key-share lock follows a row to its newer version.
void lock_rows(sql_session& one, sql_session& two) {
  const auto commit_both = [&] {
    run_script(one, "COMMIT");
    run_script(two, "COMMIT");
  };
  run_script(one, "BEGIN; SELECT * FROM parent WHERE id <= 40 FOR SHARE");
  run_script(two, "BEGIN; SELECT * FROM parent WHERE id BETWEEN 20 AND 60 FOR SHARE");
  commit_both();
  run_script(one, "BEGIN; SELECT * FROM parent WHERE id <= 40 FOR KEY SHARE");
  run_script(two,
             "BEGIN; SELECT * FROM parent WHERE id <= 20 FOR NO KEY UPDATE; UPDATE parent SET name = 'x' WHERE id < 9");
  commit_both();
  run_script(one, "BEGIN; UPDATE parent SET name = 'y' WHERE id BETWEEN 50 AND 90");
  run_script(two, "BEGIN; SELECT * FROM parent WHERE id BETWEEN 50 AND 70 FOR KEY SHARE");
  run_script(one, "UPDATE parent SET name = 'z' WHERE id BETWEEN 50 AND 60");
  commit_both();
  run_script(one, "BEGIN; SELECT * FROM account WHERE id % 50 = 1 FOR UPDATE; COMMIT");
}

// Each step works on pages that the one before made all-visible.
void vacuum(sql_session& one, sql_session& two) {
  run_script(one, "VACUUM account, event, parent, part");
  run_script(one, "UPDATE account SET balance = 5 WHERE id % 97 = 1; DELETE FROM event WHERE at % 500 = 1");
  run_script(one, "INSERT INTO account (branch, balance) SELECT 1, 1 FROM generate_series(1, 300)");
  run_script(one, "VACUUM (FREEZE, INDEX_CLEANUP ON) account, event, parent, child");
  run_script(one, "BEGIN; SELECT * FROM parent WHERE id % 5 = 0 FOR SHARE");
  run_script(two, "SELECT * FROM parent WHERE id % 10 = 0 FOR SHARE");
  run_script(one, "COMMIT; UPDATE parent SET name = 'after' WHERE id % 4 = 0");
  run_script(one, "VACUUM (FREEZE) parent");
  run_script(one, "BEGIN; UPDATE parent SET name = 'mine' WHERE id < 50");
  run_script(two, "SELECT * FROM parent WHERE id < 50 FOR KEY SHARE");
  run_script(one, "COMMIT");
  run_script(one, "CREATE TABLE shrinking AS SELECT i AS id, repeat('s', 100) FROM generate_series(1, 3000) i");
  run_script(one, "VACUUM shrinking");
  run_script(one, "DELETE FROM shrinking WHERE id > 500");
  run_script(one, "VACUUM shrinking; INSERT INTO shrinking SELECT i, 'again' FROM generate_series(1, 3000) i");
  run_script(one, "ANALYZE");
}

void use_sequences(sql_session& session) {
  run_script(session, "SELECT nextval('number') FROM generate_series(1, 500)");
  run_script(session,
             "SELECT setval('number', 7); ALTER SEQUENCE number RESTART 100 INCREMENT 3; SELECT nextval('number')");
}

void use_toast(sql_session& session) {
  run_script(session, R"(
    INSERT INTO document SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 200) j)
      FROM generate_series(1, 100) i;
    UPDATE document SET body = body || 'more' WHERE id % 4 = 0;
    DELETE FROM document WHERE id % 5 = 0;
  )");
  run_script(session, "VACUUM document");
}

void rewrite_tables(sql_session& session) {
  run_script(session,
             "VACUUM FULL part; CLUSTER account USING account_branch; ALTER TABLE child ADD extra bigint DEFAULT 3");
  run_script(session,
             "BEGIN; DROP TABLE shrinking; ROLLBACK; TRUNCATE child; ALTER TABLE parent ALTER name TYPE varchar(50)");
  run_script(session, "DROP TABLE document");
}

}  // namespace

void exercise_heap(sql_session& one, sql_session& two, const std::string& directory) {
  make_tables(one);
  insert_rows(one, directory);
  update_and_delete(one);
  use_savepoints(one);
  lock_rows(one, two);
  vacuum(one, two);
  use_sequences(one);
  use_toast(one);
  rewrite_tables(one);
}

}  // namespace strata::tests
