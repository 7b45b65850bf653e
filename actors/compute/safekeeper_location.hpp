#pragma once

#include <functional>

#include "consensus/membership.hpp"
#include "core/result.hpp"
#include "pg/wire/safekeeper_identity.hpp"

namespace strata::actors::compute {

/// Where a member of a quorum is reached now, and who must answer there.
struct safekeeper_location {
  std::string host;
  std::uint16_t port = 0;
  pg::wire::safekeeper_identity expected;
};

/// For a member as its configuration has it. Blocks. An error: it can't be reached now, and nobody else may be taken
/// for it.
using locate_safekeeper = std::function<core::result<safekeeper_location>(const consensus::member&)>;

}  // namespace strata::actors::compute
