#pragma once

#include <cstdint>

namespace strata::tests {

/// A TCP port on which nothing listens now and which this process was not given before. Taken at random from below the
/// range from which the kernel serves outgoing connections, so that tests running side by side hardly ever meet.
std::uint16_t free_port();

}  // namespace strata::tests
