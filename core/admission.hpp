#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/clock.hpp"

namespace strata::core {

/// What a connection is doing, as far as making room for another one goes.
enum class seat_use : std::uint8_t {
  fresh,  ///< has not begun: no start-up packet, no request
  idle,   ///< has begun and has nothing under way
  quiet,  ///< holds a stream that has been used, and has nothing under way
  busy,   ///< is being served
};

/// One connection of a service.
struct seat {
  std::uint64_t number = 0;  ///< the caller's
  std::string peer;          ///< IP address
  seat_use use = seat_use::fresh;
  monotonic_time since{};  ///< of `use`, or when something was last under way
};

struct seat_limits {
  std::size_t total = 0;
  /// Of one address. Does not hold for loopback, where every client of the machine has the same one.
  std::size_t per_peer = 0;
};

/// Whether a newcomer gets a seat, and which connection has to give up its own for that.
struct admission {
  bool admitted = true;
  std::optional<std::uint64_t> drop;
};

/// At a limit the connection that has been fresh for longest goes, if there is none the one that has been idle for
/// longest, and if there is none of these either the one that has been quiet for longest: of the newcomer's own address
/// at the limit of an address, of the address with most of these at the total. So a crowd that says nothing keeps out
/// nobody else, and a client that merely has nothing to ask for is the last to go. A busy connection is never dropped:
/// if all are, the newcomer is refused.
admission admit(std::span<const seat> seats, const std::string& newcomer, const seat_limits& limits);

}  // namespace strata::core
