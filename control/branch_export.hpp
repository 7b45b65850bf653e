#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/scope.hpp"
#include "core/lsn.hpp"

namespace strata::control {

struct exported_branch {
  std::string branch;
  core::lsn at;
  std::uint64_t bytes = 0;
};

/// Writes "[SOURCE/]BRANCH[@WHEN]" as a tar archive of a data directory to a file, or to standard output when `output`
/// is empty. The file appears under its name when it is complete. `begun` gets the name of the temporary file that a
/// kill would leave, empty when there is none.
exported_branch export_branch(const scope& of, const std::string& spec, const std::string& output,
                              const std::function<void(const std::string& temporary)>& begun);

}  // namespace strata::control
