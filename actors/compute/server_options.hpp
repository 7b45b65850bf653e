#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/account.hpp"
#include "host/postgres_process.hpp"
#include "host/registry.hpp"

namespace strata::actors::compute {

/// How the Postgres of a compute with an agent runs, without what it inherits.
strata::host::postgres_options server_options(const strata::host::compute_record& of,
                                              const std::optional<strata::host::account>& run_as, bool logical_wal);

}  // namespace strata::actors::compute
