#pragma once

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/branches.hpp"
#include "host/registry.hpp"

namespace strata::control {

struct branch_creation_request {
  std::string name;
  std::string from = "main";                               ///< "[SOURCE/]BRANCH[@WHEN]"
  std::optional<std::chrono::milliseconds> expires_after;  ///< then it is deleted
  std::string wal_level;                                   ///< "replica" or "logical"; empty: as the parent
};
/// "2h", "7d": at least a second, and never a bare number. `what` names the word in a failure.
std::chrono::milliseconds parse_expiry(const std::string& text, const std::string& what);
struct created_branch {
  branch_entry parent;
  resolved_point from;
  nlohmann::json timeline;  ///< as the server has created it
  std::chrono::milliseconds took{};
};
/// Creates a branch; durable when it returns.
created_branch create_branch(const scope& of, const branch_creation_request& asked);

/// What goes with a branch when it is deleted.
struct branch_deletion {
  branch_entry branch;
  std::vector<host::compute_record> computes;  ///< all of the branch
  std::vector<std::string> children;           ///< they block the deletion
};
/// Changes nothing. The name must be whole, or the id.
branch_deletion plan_deletion(const scope& of, const std::string& name);
/// What a person reads before: "3.1 MiB on disk, created 2 h ago", then a line for each compute and the children.
std::vector<std::string> describe(const scope& of, const branch_deletion& plan);
/// Deletes the branch, and with `force` its computes.
void delete_branch(const scope& of, const branch_deletion& plan, bool force);

/// Deletes a branch after this time, in place of an earlier one, or never. Its timeline.
nlohmann::json expire_branch(const scope& of, const std::string& name, std::optional<std::chrono::milliseconds> after);

/// Protects a branch from deletion, which also removes its expiry, or ends the protection. Its timeline.
nlohmann::json protect_branch(const scope& of, const std::string& name, bool on);

/// "replica" or "logical", for computes that start from now on. Its timeline.
nlohmann::json set_wal_level(const scope& of, const std::string& name, const std::string& level);

}  // namespace strata::control
