#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/branch_writers.hpp"
#include "control/scope.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// The computes that BRANCH on the command line refers to.
struct compute_lookup {
  std::optional<host::compute_record> running{};  ///< shows the branch as it is now
  std::vector<host::compute_record> older{};      ///< running copies and readers that don't, the newest last
  std::optional<branch_writer> in_doubt{};        ///< none is known to, and this one without a record may write it
  bool follows_source = false;                    ///< the branch is one that only its source writes
};

/// The branch of that name first, by its ids; else the compute of that name, if its branch is still there. Without the
/// server only a compute's name can be understood. A compute that writes the branch and comes back after a crash is
/// waited for, as wait_until_up().
compute_lookup look_up(const scope& of, const std::string& branch);

/// The running compute of that name, waited for likewise; a failure when there is none.
host::compute_record named_compute(const scope& of, const std::string& name);

}  // namespace strata::control
