#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/branches.hpp"
#include "cli/context.hpp"
#include "compute/registry.hpp"

namespace strata::cli {

/// What to start. `name` empty: after the branch; `port` 0: any free one.
struct compute_request {
  std::string spec;
  std::string name;
  std::uint16_t port = 0;
  std::vector<std::string> settings;
};

/// Starts a Postgres on a branch. On the head of a branch that has, or can get, safekeepers what is written goes into
/// the branch (an agent keeps it running, agents.hpp); otherwise it works on a copy in a directory of this machine.
/// Nothing is left behind when it fails.
compute::compute_record start_compute(const context& of, const compute_request& wanted);

/// Starts a stopped one again: a copy with what was written on it, a branch in a fresh directory.
compute::compute_record restart_compute(const context& of, compute::compute_record record,
                                        const compute_request& wanted);

/// Stops it; with `remove`, its data go too. One that writes its branch gets at most `limit` to have everything
/// acknowledged, errors as stop_agent().
void stop_compute(const context& of, const compute::compute_record& record, bool remove,
                  std::chrono::milliseconds limit = std::chrono::minutes(1));

/// The running computes of a branch, started first first.
std::vector<compute::compute_record> computes_of(const context& of, const branch_entry& branch);

/// Its Postgres runs.
bool is_up(const compute::compute_record& record);
/// Its name is taken: Postgres runs, or an agent is about to start it.
bool is_busy(const context& of, const compute::compute_record& record);

/// postgresql://user@/database?host=/path&port=N: works without a password, for who may enter the directory.
std::string socket_uri(const compute::compute_record& of);
/// postgresql://user@127.0.0.1:N/database: needs a password that was set before.
std::string tcp_uri(const compute::compute_record& of);

}  // namespace strata::cli
