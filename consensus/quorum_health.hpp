#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "consensus/membership.hpp"

namespace strata::consensus {

/// Why a member can't vote and write now; none: it can.
enum class member_failure : std::uint8_t {
  none,
  down,         ///< no process, or one that has not published its addresses
  silent,       ///< its process does not answer
  lacks,        ///< the timeline is missing on it
  broken,       ///< its copy can't be read or written
  full,         ///< its disk takes no WAL
  unreachable,  ///< another process, or none, answers at its address
};
struct member_state {
  std::uint64_t id = 0;
  member_failure failure = member_failure::none;
};

/// The failures that a quorum tolerates: configuration::can_lose over the members without failure, and as text.
struct quorum_health {
  int can_lose = -1;
  std::string text;  ///< "tolerates 1 failure", "tolerates no failure: safekeeper 2 is down", ...
};
/// Members without a state count as down.
quorum_health health_of(const configuration& quorum, const std::vector<member_state>& members);

/// "safekeeper 2 is down", "safekeepers 1, 2 are down"; empty if `some` is empty.
std::string said_of(const std::vector<std::uint64_t>& some, const char* of_one, const char* of_several);

}  // namespace strata::consensus
