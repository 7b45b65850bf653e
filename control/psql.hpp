#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/compute_lookup.hpp"
#include "control/computes.hpp"

namespace strata::control {

/// What is to be reached, and as whom.
struct connect_request {
  std::string branch{};   ///< BRANCH[@WHEN], or a compute's name when no branch has it
  std::string compute{};  ///< a compute's name, whatever it holds
  login as{};
  std::vector<std::string> commands{};  ///< for psql: each after -c
  std::vector<std::string> words{};     ///< for psql, the user's own
  bool interactive = false;             ///< a person types
};

/// A failure unless a branch or a compute is named, and not both. `command`: "strata url".
void check_target(const connect_request& asked, const std::string& command);

struct reached_compute {
  host::compute_record record;
  bool is_present = true;  ///< false: it shows an older state of the branch
};
/// The running compute that is meant; a failure when there is none.
reached_compute reach_compute(const scope& of, const connect_request& asked);

/// "compute dev is an older copy of dev, 12 min old"; of a reader: "compute then reads an older state of dev, ..."
std::string age_note(const host::compute_record& record);

/// Opens psql: on the compute that is named, on the one that shows the branch as it is now, which is started when none
/// runs, or on a temporary one. This process becomes psql, except when it has that one to remove afterwards;
/// then a failure tells psql's exit code unless that was 0.
void open_psql(const scope& of, connect_request asked);

}  // namespace strata::control
