#pragma once

#include <string>

#include "control/branches.hpp"
#include "core/result.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// A new one in TMPDIR or /tmp, which Postgres's user can pass through.
core::result<std::string> make_demo_directory();

/// A small database on a running server, with a branch that differs from it.
struct demo {
  host::compute_record main;
  host::compute_record branch;
  int orders = 0;         ///< rows of table orders on main
  int branch_orders = 0;  ///< and on the branch
};
/// Precondition: the server has safekeepers, and no database "demo".
demo make_demo(const scope& of);

}  // namespace strata::control
