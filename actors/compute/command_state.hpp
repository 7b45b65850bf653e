#pragma once

#include <string>

namespace strata::actors::compute {

/// The command that starts a compute, as its agent sees it.
struct command_state {
  bool runs = false;
  bool compute_is_ready = false;  ///< the command has seen it run
};
/// Blocks. `directory`: of the compute.
command_state look_at_command(const std::string& directory, const std::string& compute);

}  // namespace strata::actors::compute
