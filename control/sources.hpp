#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/branches.hpp"
#include "host/registry.hpp"

namespace strata::control {

struct source_request {
  std::string name;
  std::string conninfo;
  std::string slot;  ///< empty: strata_NAME, dropped with the source
};

/// Makes the server follow a running Postgres; its base backup goes on after that. The answer of POST /v1/source.
nlohmann::json add_source(const server_link& server, const source_request& asked);

struct import_result {
  nlohmann::json timeline;  ///< of main, readable
  std::uint64_t backup_bytes = 0;
};
/// Waits until the source's main can be read. A base backup that fails takes the source back: `removed` gets the answer
/// of the removal, with the replication slots that stay, before the failure is thrown.
import_result wait_for_import(const server_link& server, const nlohmann::json& added, const std::string& name,
                              const std::function<void(const nlohmann::json& removed)>& removed);

/// What goes with a source when it is removed.
struct source_removal {
  source_entry source;
  std::vector<branch_entry> branches;  ///< empty also for one that is broken
  std::vector<host::compute_record> computes;
};
/// Changes nothing. `name` is the whole name, or the id. A failure names `delete` for a database without a source: what
/// was promoted is nowhere else.
source_removal plan_removal(const scope& of, const std::string& name);
/// The same, with a source or without.
source_removal plan_tenant_removal(const scope& of, const std::string& name, const std::string& verb);
/// What a person reads before, a line for each branch and compute.
std::vector<std::string> describe(const scope& of, const source_removal& plan);
/// Removes a source with all its branches, and with `force` their computes. The replication slots that stay at their
/// sources.
nlohmann::json remove_source(const scope& of, const source_removal& plan, bool force);

struct resumed_source {
  source_entry source;
  nlohmann::json timeline;  ///< of the branch that follows it; null: none does
  bool was_refused = true;  ///< false: nothing was to be done
};
/// Follows a source again that was refused, and waits until it streams or 10 s are over. Refused again: a failure.
resumed_source resume_source(const scope& of, const std::string& name);

/// Changes how a source's history is kept. `set`: "NAME=VALUE"; `unset`: names that get their default again. The
/// configuration as the server has it.
nlohmann::json configure_source(const scope& of, const std::string& name, const std::vector<std::string>& set,
                                const std::vector<std::string>& unset);

}  // namespace strata::control
