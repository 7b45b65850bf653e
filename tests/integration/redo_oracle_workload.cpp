#include "tests/integration/redo_oracle_workload.hpp"

#include <algorithm>
#include <string>

namespace strata::tests {

namespace {

/// Statement by statement, since VACUUM refuses company. No statement has a semicolon inside.
void run(sql_session& session, const std::string& script) {
  for (std::size_t begin = 0; begin < script.size();) {
    const std::size_t end = std::min(script.find(';', begin), script.size());
    const std::string statement = script.substr(begin, end - begin);
    if (statement.find_first_not_of(" \n") != std::string::npos) session.execute(statement);
    begin = end + 1;
  }
}

void make_tables(sql_session& session) {
  run(session, R"(
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
  run(session, R"(
    INSERT INTO account (branch, balance, note)
      SELECT i % 40, 0, repeat('x', (random() * 60)::int) FROM generate_series(1, 4000) i;
    INSERT INTO event SELECT (random() * 100000)::int, i, 'event ' || i FROM generate_series(1, 4000) i;
    INSERT INTO parent SELECT i, 'parent ' || i FROM generate_series(1, 200) i;
    INSERT INTO child SELECT i, 1 + i % 200 FROM generate_series(1, 1000) i;
    INSERT INTO part SELECT i, 1 + i % 2 FROM generate_series(1, 400) i;
  )");
  run(session, "COPY event TO '" + directory + "/event.copy'");
  run(session, "COPY event FROM '" + directory + "/event.copy'");
  run(session, "BEGIN; TRUNCATE event; COPY event FROM '" + directory + "/event.copy' WITH (FREEZE); COMMIT");
  run(session, "INSERT INTO event SELECT * FROM event WHERE at % 3 = 0");
}

void update_and_delete(sql_session& session) {
  run(session, "UPDATE account SET balance = balance + 1 WHERE id % 3 = 0");
  run(session, "UPDATE account SET note = note || '!' WHERE id % 7 = 0");
  run(session, "UPDATE account SET branch = branch + 1 WHERE id % 11 = 0");
  run(session, "UPDATE account SET note = repeat('long', 200) WHERE id % 101 = 0");
  run(session, "DELETE FROM account WHERE id % 13 = 0");
  run(session, "DELETE FROM event WHERE at BETWEEN 1000 AND 3000");
  run(session, "UPDATE part SET area = 3 - area WHERE id % 3 = 0");
  run(session, "UPDATE parent SET name = name || ' renamed' WHERE id % 2 = 0");
  for (int i = 0; i < 300; ++i)
    run(session, "UPDATE account SET balance = balance + 1 WHERE id = " + std::to_string(1 + i % 37));
}

void use_savepoints(sql_session& session) {
  for (int i = 0; i < 20; ++i) {
    const std::string id = std::to_string(2 + i * 40);
    run(session, "BEGIN; UPDATE account SET balance = 1 WHERE id = " + id +
                     "; SAVEPOINT a; UPDATE account SET balance = 2 WHERE id = " + id +
                     "; SAVEPOINT b; DELETE FROM account WHERE id = " + id +
                     "; ROLLBACK TO a; SELECT * FROM account WHERE id = " + id + " FOR UPDATE; " +
                     (i % 3 == 0 ? "ROLLBACK" : "COMMIT"));
  }
  run(session, R"(
    INSERT INTO parent VALUES (1, 'again'), (1001, 'new') ON CONFLICT (id) DO NOTHING;
    INSERT INTO parent VALUES (2, 'again'), (1002, 'new') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
  )");
}

// Two transactions at once: shared locks become multixacts, and a key-share lock follows a row to its newer version.
void lock_rows(sql_session& one, sql_session& two) {
  const auto commit_both = [&] {
    run(one, "COMMIT");
    run(two, "COMMIT");
  };
  run(one, "BEGIN; SELECT * FROM parent WHERE id <= 40 FOR SHARE");
  run(two, "BEGIN; SELECT * FROM parent WHERE id BETWEEN 20 AND 60 FOR SHARE");
  commit_both();
  run(one, "BEGIN; SELECT * FROM parent WHERE id <= 40 FOR KEY SHARE");
  run(two, "BEGIN; SELECT * FROM parent WHERE id <= 20 FOR NO KEY UPDATE; UPDATE parent SET name = 'x' WHERE id < 9");
  commit_both();
  run(one, "BEGIN; UPDATE parent SET name = 'y' WHERE id BETWEEN 50 AND 90");
  run(two, "BEGIN; SELECT * FROM parent WHERE id BETWEEN 50 AND 70 FOR KEY SHARE");
  run(one, "UPDATE parent SET name = 'z' WHERE id BETWEEN 50 AND 60");
  commit_both();
  run(one, "BEGIN; SELECT * FROM account WHERE id % 50 = 1 FOR UPDATE; COMMIT");
}

// Each step works on pages that the one before made all-visible.
void vacuum(sql_session& one, sql_session& two) {
  run(one, "VACUUM account, event, parent, part");
  run(one, "UPDATE account SET balance = 5 WHERE id % 97 = 1; DELETE FROM event WHERE at % 500 = 1");
  run(one, "INSERT INTO account (branch, balance) SELECT 1, 1 FROM generate_series(1, 300)");
  run(one, "VACUUM (FREEZE, INDEX_CLEANUP ON) account, event, parent, child");
  run(one, "BEGIN; SELECT * FROM parent WHERE id % 5 = 0 FOR SHARE");
  run(two, "SELECT * FROM parent WHERE id % 10 = 0 FOR SHARE");
  run(one, "COMMIT; UPDATE parent SET name = 'after' WHERE id % 4 = 0");
  run(one, "VACUUM (FREEZE) parent");
  run(one, "BEGIN; UPDATE parent SET name = 'mine' WHERE id < 50");
  run(two, "SELECT * FROM parent WHERE id < 50 FOR KEY SHARE");
  run(one, "COMMIT");
  run(one, "CREATE TABLE shrinking AS SELECT i AS id, repeat('s', 100) FROM generate_series(1, 3000) i");
  run(one, "VACUUM shrinking");
  run(one, "DELETE FROM shrinking WHERE id > 500");
  run(one, "VACUUM shrinking; INSERT INTO shrinking SELECT i, 'again' FROM generate_series(1, 3000) i");
  run(one, "ANALYZE");
}

void exercise_btree(sql_session& session) {
  // Duplicates in random order: dedup, and inserts into posting lists and splits of them.
  run(session, R"(
    CREATE TABLE duplicate (key int, filler int);
    CREATE INDEX duplicate_key ON duplicate (key);
    INSERT INTO duplicate SELECT (random() * 20)::int, i FROM generate_series(1, 12000) i;
  )");
  run(session, "DELETE FROM duplicate WHERE filler % 3 = 0; VACUUM duplicate");
  run(session, "INSERT INTO duplicate SELECT (random() * 20)::int, i FROM generate_series(1, 6000) i");
  run(session, "DELETE FROM duplicate WHERE key < 15");
  run(session, "VACUUM duplicate");
  run(session, "VACUUM duplicate");
  run(session, "INSERT INTO duplicate SELECT (random() * 20)::int, i FROM generate_series(1, 3000) i");

  // Wide keys make a tree of several levels with few rows; emptying it deletes pages of all levels.
  run(session, R"(
    CREATE TABLE wide (key text COLLATE "C");
    ALTER TABLE wide ALTER key SET STORAGE PLAIN;
    CREATE INDEX wide_key ON wide (key);
    INSERT INTO wide SELECT md5(i::text) || repeat('k', 1200) FROM generate_series(1, 1500) i;
  )");
  run(session, "DELETE FROM wide WHERE key > '1'; VACUUM wide");
  run(session, "SELECT txid_current()");
  run(session, "VACUUM wide");
  run(session, "INSERT INTO wide SELECT md5(i::text) || repeat('k', 1200) FROM generate_series(1, 800) i");
  run(session, "DELETE FROM wide; VACUUM wide");
  run(session, "INSERT INTO wide SELECT md5(i::text) || repeat('k', 1200) FROM generate_series(1, 200) i");

  // Dead entries that a scan has marked go when the next insert needs their room.
  run(session, R"(
    CREATE TABLE churn (id int, version int, constant int);
    CREATE INDEX churn_id ON churn (id);
    CREATE INDEX churn_constant ON churn (constant);
    CREATE UNIQUE INDEX churn_version ON churn (version);
    INSERT INTO churn SELECT i, i, 7 FROM generate_series(1, 700) i;
    SET enable_seqscan = off; SET enable_bitmapscan = off;
  )");
  for (int i = 1; i <= 8; ++i) {
    run(session, "UPDATE churn SET version = version + 700");
    run(session, "SELECT count(*) FROM churn WHERE id > 0; SELECT count(version) FROM churn WHERE version > 0");
  }
  run(session, "DELETE FROM churn WHERE id % 2 = 0; SELECT count(version) FROM churn WHERE version > 0");
  run(session,
      "SELECT count(id) FROM churn WHERE id > 0; INSERT INTO churn SELECT i, -i, 7 FROM generate_series(1, 700) i");
  run(session, "RESET enable_seqscan; RESET enable_bitmapscan");
  run(session, "REINDEX INDEX churn_id");
}

void use_sequences(sql_session& session) {
  run(session, "SELECT nextval('number') FROM generate_series(1, 500)");
  run(session, "SELECT setval('number', 7); ALTER SEQUENCE number RESTART 100 INCREMENT 3; SELECT nextval('number')");
}

void use_toast(sql_session& session) {
  run(session, R"(
    INSERT INTO document SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 200) j)
      FROM generate_series(1, 100) i;
    UPDATE document SET body = body || 'more' WHERE id % 4 = 0;
    DELETE FROM document WHERE id % 5 = 0;
  )");
  run(session, "VACUUM document");
}

// The resource manager Generic serves index types of extensions.
void use_generic_index(sql_session& session) {
  run(session, R"(
    CREATE EXTENSION bloom;
    CREATE TABLE filtered (a int, b int);
    CREATE INDEX filtered_bloom ON filtered USING bloom (a, b);
    INSERT INTO filtered SELECT i, i % 7 FROM generate_series(1, 2000) i;
    DELETE FROM filtered WHERE a % 3 = 0;
    VACUUM filtered;
    INSERT INTO filtered SELECT i, i % 7 FROM generate_series(1, 500) i;
  )");
}

void rewrite_tables(sql_session& session) {
  run(session, "VACUUM FULL part; CLUSTER account USING account_branch; ALTER TABLE child ADD extra bigint DEFAULT 3");
  run(session, "BEGIN; DROP TABLE shrinking; ROLLBACK; TRUNCATE child; ALTER TABLE parent ALTER name TYPE varchar(50)");
  run(session, "DROP TABLE churn");
}

}  // namespace

void run_redo_workload(postgres_cluster& cluster) {
  sql_session one(cluster.conninfo());
  sql_session two(cluster.conninfo());
  make_tables(one);
  insert_rows(one, cluster.work_directory().string());
  update_and_delete(one);
  use_savepoints(one);
  lock_rows(one, two);
  vacuum(one, two);
  exercise_btree(one);
  use_sequences(one);
  use_toast(one);
  use_generic_index(one);
  rewrite_tables(one);
}

}  // namespace strata::tests
