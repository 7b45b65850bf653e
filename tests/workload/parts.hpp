#pragma once

#include <string>

#include "tests/support/postgres_cluster.hpp"
#include "tests/support/sql_session.hpp"

/// The parts of the workload, one for each resource manager that changes blocks, and one for all others. Private to
/// tests/workload.
namespace strata::tests {

/// Statement by statement, since VACUUM refuses company. No statement has a semicolon inside.
void run_script(sql_session& session, const std::string& script);

/// `directory`: where the server may write files.
void exercise_heap(sql_session& one, sql_session& two, const std::string& directory);
/// What names no block: transactions, databases, tablespaces, messages, backups.
void exercise_cluster(postgres_cluster& cluster, sql_session& one, sql_session& two);
/// Restarts the server with more connections, and changes full_page_writes and changes it back.
void change_settings(postgres_cluster& cluster);
void exercise_btree(sql_session& session);
void exercise_hash(sql_session& session);
void exercise_gin(sql_session& session);
void exercise_gist(sql_session& session);
void exercise_spgist(sql_session& session);
void exercise_brin(sql_session& session);
void exercise_generic(sql_session& session);

}  // namespace strata::tests
