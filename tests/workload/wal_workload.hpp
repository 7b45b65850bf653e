#pragma once

#include "tests/support/postgres_cluster.hpp"

namespace strata::tests {

/// Settings that run_wal_workload() relies on.
inline const std::vector<std::string> wal_workload_config{"max_prepared_transactions = 10",
                                                          "track_commit_timestamp = on", "autovacuum = off"};

/// SQL that makes Postgres write every type of record, but for those that docs/wal-coverage.md explains. `part` limits
/// it to one of: heap, btree, hash, gin, gist, spgist, brin, generic, cluster; empty runs all and then restarts the
/// server.
void run_wal_workload(postgres_cluster& cluster, const std::string& part = {});

}  // namespace strata::tests
