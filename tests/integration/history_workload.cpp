#include "tests/integration/history_workload.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include "tests/support/contents.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;

// \set lines are pgbench's own; LOCK stands for taking load_lock.
constexpr const char* bank_script = R"(\set aid random(1, 100000)
\set bid 1
\set tid random(1, 10)
\set delta random(-5000, 5000)
BEGIN;
LOCK
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SAVEPOINT a;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
SAVEPOINT b;
UPDATE pgbench_branches SET bbalance = 0 WHERE bid = :bid;
ROLLBACK TO b;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
)";

constexpr const char* document_script = R"(\set old random(1, 400)
\set length random(1, 300)
BEGIN;
LOCK
INSERT INTO document (body) SELECT string_agg(md5(random()::text), '') FROM generate_series(1, :length);
UPDATE document SET body = body || 'more' WHERE id = :old;
DELETE FROM document WHERE id = :old + 400;
INSERT INTO event (kind, what) VALUES (:length % 7, 'event ' || :length) ON CONFLICT (kind, what) DO UPDATE SET count = event.count + 1;
END;
)";

constexpr const char* rollback_script = R"(\set aid random(1, 100000)
BEGIN;
LOCK
SELECT * FROM pgbench_accounts WHERE aid = :aid FOR SHARE;
DELETE FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO event (kind, what) VALUES (99, 'never ' || :aid);
ROLLBACK;
)";

std::string with_lock(std::string script) {
  const std::size_t at = script.find("LOCK\n");
  return script.replace(at, 4, std::string("SELECT pg_advisory_xact_lock_shared(") + load_lock + ");");
}

}  // namespace

std::vector<std::string> history_config() {
  // Autovacuum would change catalogs between the snapshot of a moment and its LSN.
  return {"autovacuum = off", "max_prepared_transactions = 10", "shared_buffers = 64MB", "checkpoint_timeout = 30s"};
}

history_load::history_load(postgres_cluster& source) : source_(source) {
  const finished made = source_.run("pgbench", {"-i", "-s", "1", "-q"});
  if (made.exit_code != 0) throw std::runtime_error("pgbench -i: " + made.err);
  source_.execute(
      "CREATE TABLE document (id serial PRIMARY KEY, body text); ALTER TABLE document ALTER body SET STORAGE EXTERNAL;"
      "CREATE TABLE event (kind int, what text, count bigint DEFAULT 1, number bigserial, PRIMARY KEY (kind, what));"
      "CREATE INDEX ON pgbench_accounts (abalance); CREATE INDEX ON document (md5(body))");
  for (const char* script : {bank_script, document_script, rollback_script}) {
    const fs::path file = source_.work_directory() / ("load" + std::to_string(scripts_.size()) + ".sql");
    std::ofstream(file) << with_lock(script);
    scripts_.insert(scripts_.end(), {"-f", file});
  }
}

void history_load::start(int transactions_per_second) {
  std::vector<std::string> words{"-n", "-c", "4", "-T", "3600", "-R", std::to_string(transactions_per_second)};
  words.insert(words.end(), scripts_.begin(), scripts_.end());
  pgbench_ = source_.spawn("pgbench", words);
}

void history_load::stop() {
  if (!pgbench_) return;
  const bool went_on = pgbench_->running();
  pgbench_->signal(SIGINT);
  const finished ended = pgbench_->wait();
  pgbench_.reset();
  if (!went_on) throw std::runtime_error("pgbench ended early: " + ended.out + ended.err);
}

history_steps::history_steps(postgres_cluster& source)
    : source_(source), main_(source.conninfo()), open_(source.conninfo()), other_(source.conninfo()) {
  make_tables();
  first_half();
  second_half();
}

/// Statement by statement, because many refuse to run in a transaction. No statement has a semicolon inside.
void history_steps::run_script(sql_session& session, const std::string& script) {
  for (std::size_t begin = 0; begin < script.size();) {
    const std::size_t end = std::min(script.find(';', begin), script.size());
    const std::string statement = script.substr(begin, end - begin);
    if (statement.find_first_not_of(" \n") != std::string::npos) session.execute(statement);
    begin = end + 1;
  }
}

void history_steps::make_tables() {
  run_script(main_, R"(
    CREATE TABLE work (id serial PRIMARY KEY, state text, filler text);
    CREATE INDEX work_state ON work (state);
    INSERT INTO work (state, filler) SELECT 'new', repeat('f', i % 200) FROM generate_series(1, 5000) i;
    CREATE TABLE parent (id int PRIMARY KEY, name text);
    INSERT INTO parent SELECT i, 'parent ' || i FROM generate_series(1, 500) i;
    CREATE TABLE in_progress (id int PRIMARY KEY, note text);
    CREATE TABLE prepared (id int PRIMARY KEY, note text);
    INSERT INTO prepared SELECT i, 'old' FROM generate_series(1, 100) i;
    CREATE TABLE emptied AS SELECT i, repeat('e', 50) AS filler FROM generate_series(1, 3000) i;
    CREATE INDEX emptied_i ON emptied (i);
    CREATE TABLE shrinking AS SELECT i, repeat('s', 100) AS filler FROM generate_series(1, 4000) i;
    CREATE UNLOGGED TABLE fleeting (id serial PRIMARY KEY, note text);
    INSERT INTO fleeting (note) SELECT repeat('u', 100) FROM generate_series(1, 1000);
    CREATE TEMP TABLE only_mine AS SELECT i FROM generate_series(1, 1000) i;
  )");
}

void history_steps::first_half() {
  steps_.emplace_back([this] {
    run_script(main_,
               "UPDATE work SET state = 'seen' WHERE id % 3 = 0; DELETE FROM work WHERE id % 7 = 0; VACUUM work");
    run_script(open_,
               "BEGIN; INSERT INTO in_progress SELECT i, 'unfinished' FROM generate_series(1, 500) i;"
               "SAVEPOINT a; INSERT INTO in_progress VALUES (1000, 'sub'); CREATE TABLE unfinished (x int);"
               "INSERT INTO unfinished VALUES (1)");
  });
  steps_.emplace_back([this] {
    run_script(main_, "CREATE DATABASE copied STRATEGY = file_copy");
    run_script(main_, "CREATE DATABASE logged STRATEGY = wal_log TEMPLATE copied");
    source_.execute(
        "CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 2000) i; CREATE INDEX ON t (m)",
        "copied");
    source_.execute(
        "CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 1000) i; CREATE INDEX ON t (i)",
        "logged");
  });
  steps_.emplace_back([this] {
    run_script(other_,
               "BEGIN; UPDATE prepared SET note = 'first' WHERE id <= 10; SAVEPOINT s;"
               "INSERT INTO prepared VALUES (201, 'first, sub'); PREPARE TRANSACTION 'first'");
    run_script(main_,
               "TRUNCATE emptied; INSERT INTO emptied SELECT i, 'again' FROM generate_series(1, 300) i;"
               "INSERT INTO fleeting (note) SELECT 'later' FROM generate_series(1, 500)");
  });
  steps_.emplace_back([this] {
    run_script(main_,
               "DELETE FROM shrinking WHERE i > 500; VACUUM shrinking; REINDEX INDEX work_state;"
               "INSERT INTO work (state) SELECT 'more' FROM generate_series(1, 3000)");
    // Two sessions hold the same rows: multixacts.
    run_script(main_, "BEGIN; SELECT * FROM parent WHERE id <= 200 FOR SHARE");
    run_script(other_, "BEGIN; SELECT * FROM parent WHERE id BETWEEN 100 AND 300 FOR SHARE; COMMIT");
    run_script(main_, "COMMIT; BEGIN; SELECT * FROM parent WHERE id <= 50 FOR KEY SHARE");
    run_script(other_, "BEGIN; UPDATE parent SET name = name || '!' WHERE id <= 50; COMMIT");
    run_script(main_, "COMMIT");
  });
  steps_.emplace_back([this] {
    const fs::path place = source_.work_directory() / "tablespace";
    fs::create_directory(place);
    if (const auto owner = postgres_account()) ::lchown(place.c_str(), owner->user, owner->group);
    run_script(main_, "CREATE TABLESPACE elsewhere LOCATION '" + place.string() + "'");
    run_script(
        main_,
        "CREATE TABLE far (id serial PRIMARY KEY USING INDEX TABLESPACE elsewhere, note text) TABLESPACE elsewhere;"
        "INSERT INTO far (note) SELECT 'far ' || i FROM generate_series(1, 2000) i;"
        "ALTER TABLE emptied SET TABLESPACE elsewhere");
    run_script(open_, "COMMIT");
  });
}

void history_steps::second_half() {
  steps_.emplace_back([this] {
    run_script(
        main_,
        "DROP DATABASE copied; VACUUM FULL pg_class; VACUUM (FREEZE) parent, work; CLUSTER work USING work_state");
    run_script(other_,
               "BEGIN; INSERT INTO prepared VALUES (202, 'second'); DELETE FROM prepared WHERE id = 50;"
               "PREPARE TRANSACTION 'second'");
    run_script(open_, "BEGIN; DELETE FROM in_progress WHERE id < 100; UPDATE in_progress SET note = 'changed'");
  });
  steps_.emplace_back([this] {
    run_script(main_,
               "COMMIT PREPARED 'first'; CHECKPOINT; CREATE DATABASE later STRATEGY = wal_log TEMPLATE logged;"
               "ALTER TABLE work ADD extra bigint DEFAULT 3; ALTER TABLE parent ALTER name TYPE varchar(80)");
    run_script(main_, R"(
      CREATE UNLOGGED TABLE promoted AS SELECT i, repeat('p', 40) AS filler FROM generate_series(1, 2000) i;
      CREATE INDEX ON promoted (i);
      ALTER TABLE promoted SET LOGGED;
      CREATE TABLE demoted AS SELECT i FROM generate_series(1, 2000) i;
      ALTER TABLE demoted SET UNLOGGED;
      CREATE MATERIALIZED VIEW seen AS SELECT state, count(*) FROM work GROUP BY state;
      SELECT lo_from_bytea(0, convert_to(repeat('large ' || i, 2000), 'UTF8')) FROM generate_series(1, 5) i;
      CREATE INDEX CONCURRENTLY work_filler ON work (filler);
    )");
    // More subtransactions than a backend remembers in shared memory.
    std::string many = "BEGIN;";
    for (int i = 0; i < 100; ++i)
      many += "SAVEPOINT s; INSERT INTO in_progress VALUES (" + std::to_string(5000 + i) + ", 'nested');";
    run_script(other_, many + "COMMIT");
  });
  steps_.emplace_back([this] {
    run_script(open_, "ROLLBACK");
    run_script(main_,
               "DROP TABLE shrinking; TRUNCATE document; VACUUM FULL event; UPDATE far SET note = note || '.';"
               "VACUUM; ANALYZE; SELECT pg_switch_wal()");
  });
  steps_.emplace_back([this] {
    run_script(main_,
               "ROLLBACK PREPARED 'second'; DROP TABLE far; ALTER TABLE emptied SET TABLESPACE pg_default;"
               "DROP TABLESPACE elsewhere; DROP DATABASE logged");
    run_script(other_,
               "BEGIN; INSERT INTO prepared VALUES (203, 'third'); SELECT * FROM parent WHERE id < 20 FOR SHARE;"
               "PREPARE TRANSACTION 'third'");
    run_script(open_, "BEGIN; DELETE FROM work WHERE id % 2 = 0; INSERT INTO in_progress VALUES (9999, 'never')");
  });
}

}  // namespace strata::tests
