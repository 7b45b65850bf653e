#pragma once

#include <chrono>

namespace CLI {
class App;
}

namespace strata::cli {

struct context;

/// Options that several commands have, in the same words.

/// --tenant: where a branch without a source in its name is looked for.
void add_tenant_option(CLI::App& command, context& of);
/// --pg-bin: where programs of Postgres are looked for first.
void add_pg_bin_option(CLI::App& command, context& of);
/// --limit: how long a writer that is stopped waits for acknowledgements. `limit` lives as long as the command, and has
/// the default.
void add_stop_limit_option(CLI::App& command, std::chrono::milliseconds& limit);

}  // namespace strata::cli
