#pragma once

#include "compute/registry.hpp"

namespace strata::compute {

/// The paths of a record are ones that Strata gives to a compute of that name: what is stopped, handed over and removed
/// by them is ours, whatever became of the file. errc::corrupt names the one that is not.
core::result<void> check_paths(const compute_record& of);

}  // namespace strata::compute
