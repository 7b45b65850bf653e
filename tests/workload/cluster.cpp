#include <stdexcept>

#include "tests/workload/parts.hpp"

namespace strata::tests {

namespace {

int version_of(postgres_cluster& cluster) {
  return std::stoi(cluster.value("select current_setting('server_version_num')")) / 10000;
}

void use_transactions(sql_session& one, sql_session& two) {
  run_script(one, R"(
    CREATE TABLE burnt (id int);
    CREATE TABLE shared_row (id int);
    INSERT INTO shared_row VALUES (1);
    BEGIN; INSERT INTO burnt VALUES (1); PREPARE TRANSACTION 'kept'; COMMIT PREPARED 'kept';
    BEGIN; INSERT INTO burnt VALUES (2); CREATE TABLE gone (id int); PREPARE TRANSACTION 'undone';
    ROLLBACK PREPARED 'undone';
  )");
  // More transactions than fit on a page of the transaction status, as subtransactions of one.
  one.execute(
      "DO $$ BEGIN FOR i IN 1..33000 LOOP BEGIN INSERT INTO burnt VALUES (i); EXCEPTION WHEN division_by_zero THEN "
      "NULL; "
      "END; END LOOP; END $$");
  // And more multixacts than fit on a page of theirs: every aborted locker leaves one.
  run_script(one, "BEGIN; SELECT * FROM shared_row FOR KEY SHARE");
  two.execute(
      "DO $$ BEGIN FOR i IN 1..2200 LOOP BEGIN PERFORM * FROM shared_row FOR KEY SHARE; RAISE division_by_zero; "
      "EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$");
  run_script(one, "COMMIT");
}

void use_databases(sql_session& session, int version, const std::string& directory) {
  run_script(session, "CREATE DATABASE copied" + std::string(version >= 15 ? " STRATEGY file_copy" : "") +
                          "; CREATE DATABASE dropped; DROP DATABASE dropped");
  run_script(session, "CREATE TABLESPACE elsewhere LOCATION '" + directory + "'");
  run_script(session, R"(
    CREATE TABLE far_away (id int PRIMARY KEY) TABLESPACE elsewhere;
    INSERT INTO far_away SELECT generate_series(1, 500);
    ALTER TABLE far_away SET TABLESPACE pg_default;
    DROP TABLESPACE elsewhere;
    VACUUM FULL pg_class;
  )");
}

// Most of it writes WAL only with wal_level logical.
void use_logical_decoding(sql_session& session) {
  run_script(session, R"(
    SELECT pg_logical_emit_message(false, 'prefix', 'content');
    SELECT pg_replication_origin_create('elsewhere');
    SELECT pg_replication_origin_advance('elsewhere', '0/1234');
    SELECT pg_replication_origin_drop('elsewhere');
    CREATE TABLE catalog_change (id int);
    ALTER TABLE catalog_change ADD extra int;
    TRUNCATE catalog_change;
  )");
  if (session.value("SHOW wal_level") != "logical") return;
  // A catalog that is rewritten while somebody decodes: where its rows went is logged.
  run_script(session, R"(
    SELECT pg_create_logical_replication_slot('decoder', 'pgoutput');
    CREATE TABLE like_a_catalog (id int) WITH (user_catalog_table = true);
    INSERT INTO like_a_catalog SELECT generate_series(1, 100);
    UPDATE like_a_catalog SET id = -id;
    VACUUM FULL like_a_catalog;
    SELECT pg_drop_replication_slot('decoder');
  )");
}

void use_wal_functions(sql_session& session, int version) {
  run_script(session, "SELECT pg_create_restore_point('here'); SELECT pg_switch_wal(); CHECKPOINT");
  if (version >= 15)
    run_script(session, "SELECT pg_backup_start('backup', true); SELECT pg_backup_stop(false)");
  else
    run_script(session, "SELECT pg_start_backup('backup', true, false); SELECT pg_stop_backup(false, false)");
}

}  // namespace

void exercise_cluster(postgres_cluster& cluster, sql_session& one, sql_session& two) {
  const int version = version_of(cluster);
  use_transactions(one, two);
  use_databases(one, version, cluster.work_directory().string());
  use_logical_decoding(one);
  use_wal_functions(one, version);
}

void change_settings(postgres_cluster& cluster) {
  cluster.configure("max_connections = 90");
  cluster.restart();
  const std::string before = cluster.value("SHOW full_page_writes");
  for (const std::string& value : {std::string(before == "on" ? "off" : "on"), before}) {
    cluster.execute("ALTER SYSTEM SET full_page_writes = " + value);
    cluster.execute("SELECT pg_reload_conf()");
    // The checkpointer logs the change when it gets to know it, which the next checkpoint may be too early for.
    const std::string seen = "SELECT full_page_writes = '" + value + "'::bool FROM pg_control_checkpoint()";
    for (int tries = 0; cluster.value(seen) != "t"; ++tries) {
      if (tries == 1000) throw std::runtime_error("the server never took over full_page_writes = " + value);
      cluster.execute("CHECKPOINT");
    }
  }
  cluster.execute("CREATE TABLE after_change AS SELECT generate_series(1, 1000) AS id");
}

}  // namespace strata::tests
