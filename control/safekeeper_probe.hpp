#pragma once

#include <chrono>

#include "core/result.hpp"
#include "pg/wire/safekeeper_location.hpp"

namespace strata::control {

/// Who answers at the address of a WAL service, and whether that is who was expected. Blocks, for `limit` at most.
core::result<void> check_wal_service(const pg::wire::safekeeper_location& at, std::chrono::milliseconds limit);

}  // namespace strata::control
