#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::actors::net {

struct tcp_listener {
  io::unique_fd fd;  ///< non-blocking
  std::uint16_t port = 0;
};
/// Port 0: any free one. errc::conflict when the port is taken, errc::invalid_argument for an address that is not one
/// of this machine in dotted or colon form.
core::result<tcp_listener> listen_tcp(const std::string& address, std::uint16_t port);

/// The next waiting client (non-blocking, no delay); empty when there is none, errc::busy when descriptors have run
/// out.
core::result<io::unique_fd> accept_client(const io::unique_fd& listener);

/// A socket (non-blocking, no delay) that is connecting or connected to the first address of `host`; whether it came
/// about is told by SO_ERROR once it can be written. May block while a host name is resolved.
core::result<io::unique_fd> begin_connect(const std::string& host, std::uint16_t port);

}  // namespace strata::actors::net
