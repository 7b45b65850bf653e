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
/// Port 0: any free one. errc::conflict when the port is taken, errc::invalid_argument for an address that is not one
/// of this machine in dotted or colon form.
core::result<tcp_listener> listen_tcp(const std::string& address, std::uint16_t port);

/// The next waiting client (non-blocking, no delay); empty when there is none, errc::busy when descriptors have run
/// out.
core::result<unique_fd> accept_client(const unique_fd& listener);

/// A socket (non-blocking, no delay) that is connecting or connected to the first address of `host`; whether it came
/// about is told by SO_ERROR once it can be written. May block while a host name is resolved.
core::result<unique_fd> begin_connect(const std::string& host, std::uint16_t port);

}  // namespace strata::io
