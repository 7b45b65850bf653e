#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "consensus/membership.hpp"

namespace strata::control {

/// What keeps a member from voting and writing now; none: it does both.
enum class member_failure : std::uint8_t {
  none,
  down,         ///< no process, or one that does not answer
  lacks,        ///< it has not got the timeline
  broken,       ///< its copy can't be read or written
  full,         ///< its disk takes no WAL
  unreachable,  ///< nobody, or somebody else, answers where the proposers look for it
};
struct member_state {
  std::uint64_t id = 0;
  member_failure failure = member_failure::none;
};

/// What a quorum may still lose: configuration::can_lose over the members without failure, in words.
struct quorum_health {
  int can_lose = -1;
  std::string text;  ///< "tolerates 1 failure", "tolerates no failure: safekeeper 2 is down", ...
};
/// Members of whom nothing is known are down.
quorum_health health_of(const consensus::configuration& quorum, const std::vector<member_state>& members);

/// "safekeeper 2 is down", "safekeepers 1, 2 are down"; nothing for nobody.
std::string said_of(const std::vector<std::uint64_t>& some, const char* of_one, const char* of_several);

}  // namespace strata::control
