#pragma once

#include <cstddef>

#include <string>
#include <vector>

#include "control/scope.hpp"

namespace strata::control {

struct stopped_server {
  bool was_running = false;
  std::size_t safekeepers = 0;          ///< stopped
  std::size_t computes = 0;             ///< stopped
  std::size_t computes_left = 0;        ///< still running
  std::vector<std::string> incomplete;  ///< of these, those with pages that are not filled in
};

/// Stops the server of a directory in order, then its safekeepers; before both, with `with_computes`, the computes: one
/// that writes its branch waits until all is acknowledged. A part that does not end in time: a failure.
stopped_server stop_server(const scope& of, bool with_computes);

}  // namespace strata::control
