#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/world.hpp"

namespace strata::tests::simulation {

struct run_result {
  std::string violated;  ///< empty: every promise was kept, and after healing the timeline went on
  std::uint64_t trace_hash = 0;
  statistics seen;
};

/// One cluster from its beginning through its faults to its healing. `talkative` prints every step.
run_result run(const options& of, bool talkative = false);

}  // namespace strata::tests::simulation
