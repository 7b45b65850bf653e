#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/result.hpp"

namespace strata::actors::net {

/// A descriptor that closes itself.
class io::unique_fd {
 public:
  io::unique_fd() = default;
  explicit io::unique_fd(int fd) : fd_(fd) {}
  io::unique_fd(io::unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  io::unique_fd& operator=(io::unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~io::unique_fd() { reset(); }
  void reset();
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

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
