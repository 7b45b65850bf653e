#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "control/scope.hpp"
#include "host/agent_status.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// A compute as it is now.
struct listed_compute {
  host::compute_record record;
  host::agent_status status;  ///< of one with an agent
  std::string state;          ///< state_of()
  std::string note;           ///< what a person should know of it; empty: nothing
};
struct compute_list {
  std::vector<listed_compute> computes;
  std::vector<host::damaged_compute> damaged;
};
/// All of the server's directory. A failure when the directory can't be read.
compute_list list_with_states(const scope& of);
/// For programs.
nlohmann::json list_json(const scope& of);

}  // namespace strata::control
