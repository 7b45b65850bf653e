#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/clock.hpp"

namespace strata::core {

/// The use of a connection, in the order in which connections are dropped for new ones.
enum class seat_use : std::uint8_t {
  fresh,  ///< no start-up packet and no request yet
  idle,   ///< started, without a request in progress
  quiet,  ///< has an open stream that was used, without a request in progress
  busy,   ///< a request is in progress
};

/// One connection of a service.
struct seat {
  std::uint64_t number = 0;  ///< assigned by the caller
  std::string peer;          ///< IP address
  seat_use use = seat_use::fresh;
  monotonic_time since{};  ///< start of `use`, or end of the last request
};

struct seat_limits {
  std::size_t total = 0;
  /// Per address. Not applied to loopback, which all clients of this machine share.
  std::size_t per_peer = 0;
};

/// Whether a new connection is accepted, and which connection is dropped for it.
struct admission {
  bool admitted = true;
  std::optional<std::uint64_t> drop;
};

/// At a limit the longest fresh connection is dropped, else the longest idle one, else the longest quiet one. At the
/// limit of an address it is one of the new connection's address, at the total limit one of the address with most such
/// connections. So connections that send nothing do not block other clients, and a quiet client is dropped last. A busy
/// connection is never dropped: if all are busy, the new connection is refused.
admission admit(std::span<const seat> seats, const std::string& newcomer, const seat_limits& limits);

}  // namespace strata::core
