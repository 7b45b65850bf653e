#pragma once

#include "host/libpq_environment.hpp"
#include "io/descriptor_limit.hpp"

namespace strata::control {

/// What every process of Strata does first: it reaches what its command names, whatever the shell's PGHOST says, and
/// may open as many files as its hard limit allows.
inline void prepare_process() {
  host::forget_libpq_target();
  io::raise_descriptor_limit();
}

}  // namespace strata::control
