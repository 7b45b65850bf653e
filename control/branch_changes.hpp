#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "control/branches.hpp"

namespace strata::control {

struct created_branch {
  branch_entry parent;
  resolved_point from;
  nlohmann::json timeline;  ///< as the server has created it
  std::chrono::milliseconds took{};
};
/// Creates a branch from "[SOURCE/]BRANCH[@WHEN]"; durable when it returns.
created_branch create_branch(const scope& of, const std::string& name, const std::string& from);

struct deleted_branch {
  branch_entry branch;
  std::size_t computes = 0;  ///< that went with it
};
/// Deletes a branch that has no branches of its own, and with `force` its computes. The name must be whole, or the id.
deleted_branch delete_branch(const scope& of, const std::string& name, bool force);

}  // namespace strata::control
