#pragma once

#include "tests/support/postgres_cluster.hpp"

namespace strata::tests {

/// Makes a running server write every kind of record that redo knows: heap, visibility map, btree, sequences, toast.
void run_redo_workload(postgres_cluster& cluster);

}  // namespace strata::tests
