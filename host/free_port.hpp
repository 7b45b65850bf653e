#pragma once

#include <cstdint>

#include "core/result.hpp"

namespace strata::host {

/// A TCP port of the loopback interface on which nothing listens now.
core::result<std::uint16_t> free_port();
/// errc::conflict when something listens there.
core::result<void> check_port(std::uint16_t port);

}  // namespace strata::host
