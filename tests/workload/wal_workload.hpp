#pragma once

#include "tests/support/postgres_cluster.hpp"

namespace strata::tests {

/// SQL that makes Postgres write every type of record of every resource manager that changes blocks. `part` limits it
/// to one of: heap, btree, hash, gin, gist, spgist, brin, generic; empty runs all.
void run_wal_workload(postgres_cluster& cluster, const std::string& part = {});

}  // namespace strata::tests
