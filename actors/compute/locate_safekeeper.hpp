#pragma once

#include <functional>

#include "consensus/membership.hpp"
#include "core/result.hpp"
#include "pg/wire/safekeeper_location.hpp"

namespace strata::actors::compute {

using pg::wire::safekeeper_location;

/// Finds a member of a configuration. Blocks. An error: it can't be reached now, and no other server may be taken
/// for it.
using locate_safekeeper = std::function<core::result<safekeeper_location>(const consensus::member&)>;

}  // namespace strata::actors::compute
