#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::io {

struct tcp_listener {
  unique_fd fd;  ///< non-blocking
  std::uint16_t port = 0;
};
/// Port 0: any free port. errc::conflict if the port is taken, errc::invalid_argument if `address` is not an IPv4 or
/// IPv6 address of this machine.
core::result<tcp_listener> listen_tcp(const std::string& address, std::uint16_t port);

/// A listening Unix socket, non-blocking. What was there of that name is removed. Who may connect, the rights of the
/// directory say.
core::result<unique_fd> listen_unix(const std::string& path);

/// Accepts the next client (non-blocking, no delay); empty if none is waiting, errc::busy if there are no free
/// descriptors.
core::result<unique_fd> accept_client(const unique_fd& listener);

/// Starts a connection (non-blocking, no delay) to the first address of `host`; SO_ERROR has the result when the socket
/// becomes writable. May block while a host name is resolved.
core::result<unique_fd> begin_connect(const std::string& host, std::uint16_t port);

}  // namespace strata::io
