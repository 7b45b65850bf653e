#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/lsn.hpp"
#include "storage/layer_map.hpp"

namespace strata::storage {

/// The layers that no read at or above `cutoff`, nor at one of the `kept` LSNs below it, can need: for each of these
/// points a layer is not needed if it begins above the point, or if image layers no older than its newest version and
/// not above the point cover all of its keys. (Pure.)
std::vector<std::uint64_t> removable_layers(const layer_map& files, core::lsn cutoff, std::span<const core::lsn> kept);

}  // namespace strata::storage
