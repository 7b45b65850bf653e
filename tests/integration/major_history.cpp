#include "tests/integration/major_history.hpp"

namespace strata::tests {
namespace {

struct index_type {
  const char* method;
  const char* column;
  const char* condition;  ///< served by the index
};

constexpr index_type index_types[] = {
    {"btree", "at", "at BETWEEN 500 AND 2500"},
    {"hash", "word", "word = md5('78')"},
    {"gist", "place", "place <@ box '((0,0),(50,50))'"},
    {"brin", "wide", "wide BETWEEN 1000 AND 9000"},
    {"gin", "tags", "tags @> ARRAY[3, 5]"},
    {"spgist", "spot", "spot <@ box '((0,0),(50,50))'"},
};
constexpr const char* insert_items =
    "INSERT INTO item (at, word, tags, place, spot, wide, body) SELECT i, md5(i::text), ARRAY[i % 7, i % 11, i % 13], "
    "point(i % 100, i % 89), point(i % 97, i % 83), i * 10, repeat(md5(i::text), 1 + i % 5) FROM generate_series(";

std::string rows(int first, int last) {
  return insert_items + std::to_string(first) + ", " + std::to_string(last) + ") i";
}

std::string name_of(const index_type& type) { return std::string("item_") + type.method; }

/// The condition counted through the index and without it.
std::vector<std::string> errors_of(sql_session& session, const index_type& type) {
  const std::string query = std::string("SELECT count(*) FROM item WHERE ") + type.condition;
  session.execute("SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off");
  const std::string scanned = session.value(query);
  session.execute("RESET ALL; SET enable_seqscan = off");
  const std::string found = session.value(query);
  std::string plan;
  for (const auto& row : session.query("EXPLAIN (COSTS OFF) " + query)) plan += *row[0] + '\n';
  session.execute("RESET ALL");
  std::vector<std::string> errors;
  if (scanned == "0" || scanned != found)
    errors.push_back(name_of(type) + " finds " + found + " rows, a scan of the table " + scanned);
  if (plan.find(name_of(type)) == std::string::npos) errors.push_back(name_of(type) + " is not used: " + plan);
  return errors;
}

}  // namespace

major_history::major_history(postgres_cluster& source)
    : source_(source), main_(source.conninfo()), other_(source.conninfo()), open_(source.conninfo()) {}

void major_history::before_the_backup() {
  main_.execute(
      "CREATE EXTENSION amcheck;"
      "CREATE TABLE item (id serial PRIMARY KEY, at int, word text, tags int[], place point, spot point, wide bigint, "
      "body text);"
      "CREATE TABLE document (id int PRIMARY KEY, body text); ALTER TABLE document ALTER body SET STORAGE EXTERNAL;"
      "CREATE TABLE account (id int PRIMARY KEY, amount int, note text);"
      "CREATE UNLOGGED TABLE volatile (x int PRIMARY KEY); INSERT INTO volatile SELECT generate_series(1, 1000);"
      "CREATE TABLE doomed AS SELECT i, md5(i::text) FROM generate_series(1, 3000) i;"
      "CREATE SEQUENCE number; INSERT INTO account SELECT i, 0, 'old' FROM generate_series(1, 300) i");
  for (const index_type& type : index_types)
    main_.execute("CREATE INDEX " + name_of(type) + " ON item USING " + type.method + " (" + type.column + ")");
  main_.execute(rows(1, 2000));
}

void major_history::first_half() {
  main_.execute(rows(2001, 4000));
  main_.execute("INSERT INTO document SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 100) i");
  main_.execute("UPDATE item SET at = at + 1, word = word || 'x' WHERE id % 9 = 0");
  main_.execute("DELETE FROM item WHERE id % 7 = 0");
  vacuum();
  make_databases();
  make_multixacts();
  main_.execute(
      "BEGIN; UPDATE account SET amount = 1 WHERE id <= 50; SAVEPOINT a; UPDATE account SET amount = 2 WHERE id "
      "<= 60; SAVEPOINT b; DELETE FROM account WHERE id <= 70; ROLLBACK TO a; SAVEPOINT c; INSERT INTO account "
      "VALUES (1000, 1, 'nested'); COMMIT");
  main_.execute("SELECT nextval('number') FROM generate_series(1, 100)");
  other_.execute(
      "BEGIN; UPDATE account SET note = 'prepared' WHERE id BETWEEN 101 AND 130; SAVEPOINT s; INSERT INTO "
      "account VALUES (2000, 0, 'prepared'); PREPARE TRANSACTION 'kept'");
  open_.execute("BEGIN; DELETE FROM account WHERE id BETWEEN 201 AND 250; CREATE TABLE unborn AS SELECT 1 AS x");
}

void major_history::second_half() {
  main_.execute("CHECKPOINT");
  main_.execute(rows(4001, 5000));
  main_.execute("UPDATE document SET body = body || 'more' WHERE id % 4 = 0; DELETE FROM document WHERE id % 5 = 0");
  main_.execute("DROP TABLE doomed; TRUNCATE volatile; ALTER TABLE item ADD extra int DEFAULT 7");
  main_.execute("DELETE FROM item WHERE at BETWEEN 1000 AND 1800");
  open_.execute("ROLLBACK");
  vacuum();
  source_.execute("VACUUM (FREEZE) account");
  source_.execute("VACUUM FULL pg_class");
  source_.execute("REINDEX INDEX item_btree");
}

void major_history::ending() {
  other_.execute("COMMIT PREPARED 'kept'");
  main_.execute("TRUNCATE document; UPDATE item SET tags = tags || 99");
  main_.execute("BEGIN; INSERT INTO account VALUES (3000, 1, 'rolled back'); ROLLBACK");
  source_.execute("DROP DATABASE copied");
  vacuum();
  source_.execute("CLUSTER account USING account_pkey");
}

/// 14 has one way to make a database, the others two.
void major_history::make_databases() {
  const bool strategies = source_.install().major >= 15;
  source_.execute("CREATE DATABASE copied" + std::string(strategies ? " STRATEGY = file_copy" : ""));
  source_.execute("CREATE DATABASE logged" + std::string(strategies ? " STRATEGY = wal_log" : ""));
  source_.execute("CREATE DATABASE short_lived");
  for (const char* database : {"copied", "logged"})
    source_.execute(
        "CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 1000) i; CREATE INDEX ON t (m)",
        database);
  source_.execute("DROP DATABASE short_lived");
}

/// Two sessions hold the same rows.
void major_history::make_multixacts() {
  other_.execute("BEGIN; SELECT * FROM account WHERE id <= 40 FOR SHARE");
  main_.execute("BEGIN; SELECT * FROM account WHERE id BETWEEN 20 AND 60 FOR SHARE; COMMIT");
  other_.execute("COMMIT; BEGIN; SELECT * FROM account WHERE id <= 20 FOR KEY SHARE");
  main_.execute("BEGIN; UPDATE account SET note = 'shared' WHERE id <= 20; COMMIT");
  other_.execute("COMMIT");
}

void major_history::vacuum() {
  source_.execute("VACUUM (INDEX_CLEANUP ON) item");
  source_.execute("VACUUM document, account");
}

std::vector<std::string> index_errors(sql_session& session) {
  std::vector<std::string> all;
  for (const index_type& type : index_types)
    for (auto& error : errors_of(session, type)) all.push_back(std::move(error));
  session.execute(
      "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class x ON x.oid = "
      "i.indexrelid JOIN pg_am a ON a.oid = x.relam WHERE a.amname = "
      "'btree' AND x.relpersistence = 'p' AND i.indisvalid");
  return all;
}

}  // namespace strata::tests
