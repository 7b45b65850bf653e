#pragma once

#include <cstdint>
#include <string>

#include "pg/wire/safekeeper_identity.hpp"

namespace strata::pg::wire {

/// A safekeeper's current address, and the identity that must answer there.
struct safekeeper_location {
  std::string host;
  std::uint16_t port = 0;
  safekeeper_identity expected;
};

}  // namespace strata::pg::wire
