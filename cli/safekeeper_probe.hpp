#pragma once

#include <chrono>

#include "actors/compute/safekeeper_location.hpp"
#include "core/result.hpp"

namespace strata::cli {

/// Who answers at the address of a WAL service, and whether that is who was expected. Blocks, for `limit` at most.
core::result<void> check_wal_service(const actors::compute::safekeeper_location& at, std::chrono::milliseconds limit);

}  // namespace strata::cli
