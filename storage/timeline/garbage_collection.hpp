#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/layers/layer_map.hpp"

namespace strata::storage {

/// The layers that no read at or above `cutoff`, nor at one of the `kept` LSNs below it, can need. For each of these
/// points a layer is not needed if it begins above the point, or if image layers no older than its newest version and
/// not above the point cover all of its keys. (Pure.)
std::vector<std::uint64_t> removable_layers(const layer_map& files, core::lsn cutoff, std::span<const core::lsn> kept);

/// Clocks that are further apart than this disagree.
inline constexpr std::chrono::minutes clock_difference_max{5};

/// The clocks that a collection's plan uses.
struct collection_clocks {
  core::wall_time server;                                 ///< this machine's
  std::optional<core::wall_time> newest_commit;           ///< by the clock of the committing server
  std::optional<std::chrono::microseconds> source_ahead;  ///< the source's clock minus this machine's, if known
};
/// The oldest moment of a window of `interval`, counted from the newest commit, so that the server's own clock removes
/// nothing. nullopt: no commit. errc::conflict: the clocks disagree, so that a time in the history may be wrong;
/// nothing may be collected by time. (Pure.)
core::result<std::optional<core::wall_time>> oldest_kept(const collection_clocks& clocks,
                                                         std::chrono::milliseconds interval);

}  // namespace strata::storage
