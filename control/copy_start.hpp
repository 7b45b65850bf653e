#pragma once

#include "control/scope.hpp"
#include "host/postgres_process.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// Configures the Postgres of a new copy with the settings of its branch as of the copy's LSN, and starts it. If it
/// does not start with them, it is started with the last good ones, or with none, and that is reported. From then on
/// the settings are the copy's own.
void start_copy(const scope& of, const host::compute_record& record, const host::postgres_options& server);

}  // namespace strata::control
