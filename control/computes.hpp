#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "control/branches.hpp"
#include "control/scope.hpp"
#include "control/won_terms.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// Stops it; with `remove`, its data go too. One that writes its branch gets at most `limit` to have everything
/// acknowledged, errors as stop_agent().
void stop_compute(const scope& of, const host::compute_record& record, bool remove,
                  std::chrono::milliseconds limit = std::chrono::minutes(1));

/// All computes of the server's directory. Damaged ones are reported.
std::vector<host::compute_record> list_computes(const scope& of);
/// Those of a branch, or of a whole source when `timeline` is empty; by ids.
std::vector<host::compute_record> computes_of(const scope& of, const std::string& tenant, const std::string& timeline);
/// The running ones of a branch.
std::vector<host::compute_record> running_computes_of(const scope& of, const branch_entry& branch);

/// In one word, the same in lists, logs and messages: "running", "stopped", "starting", "interrupted", or the state of
/// its agent.
std::string state_of(const scope& of, const host::compute_record& record);
std::string state_of(const scope& of, const host::compute_record& record, const won_terms& terms);

/// "compute dev: writes dev, running": of one that is about to be removed.
std::string compute_line(const scope& of, const host::compute_record& record);
/// For what is about to be deleted, a failure ("can't delete dev") names computes that run, or copies with data of
/// their own, unless they are to go, too.
void require_no_computes(const std::vector<host::compute_record>& computes, const scope& of, const std::string& doing,
                         bool force);
/// After it was deleted. One that can't be ended is named, and the rest goes on.
void remove_computes(const scope& of, const std::vector<host::compute_record>& computes);

/// Its Postgres runs.
bool is_up(const host::compute_record& record);
/// Its name is taken: Postgres runs, or an agent is about to start it.
bool is_busy(const scope& of, const host::compute_record& record);

/// As whom, and to which database; empty ones are the compute's own.
struct login {
  std::string user;
  std::string database;
};
login login_to(const host::compute_record& of, const login& wanted);
/// postgresql://user@/database?host=/path&port=N: works without a password, for who may enter the directory.
std::string socket_uri(const host::compute_record& of, const login& as = {});
/// postgresql://user@127.0.0.1:N/database: needs a password that was set before.
std::string tcp_uri(const host::compute_record& of, const login& as = {});

}  // namespace strata::control
