#include "io/sockets.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/blocking.hpp"

namespace strata::io {

core::result<tcp_listener> listen_tcp(const std::string& address, std::uint16_t port) {
  const std::string doing = "listen on " + address + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return core::error{core::errc::invalid_argument, doing + ": not an IP address"};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> info(found, &::freeaddrinfo);

  unique_fd fd(::socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return core::from_errno(doing, errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), info->ai_addr, info->ai_addrlen) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    const int failure = errno;
    if (failure == EADDRINUSE)
      return core::error{core::errc::conflict, doing + ": the port is in use; name another one"};
    if (failure == EADDRNOTAVAIL)
      return core::error{core::errc::invalid_argument, doing + ": the address is not one of this machine"};
    return core::from_errno(doing, failure);
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return core::from_errno(doing, errno);
  const auto in_network_order = bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                            : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  return tcp_listener{std::move(fd), ntohs(in_network_order)};
}

core::result<unique_fd> listen_unix(const std::string& path) {
  const std::string doing = "listen on " + path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return core::error{core::errc::invalid_argument, doing + ": it is too long for a Unix socket"};
  std::copy(path.begin(), path.end(), address.sun_path);
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return core::from_errno(doing, errno);
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0)
    return core::from_errno(doing, errno);
  return fd;
}

namespace {
/// A client whose machine is gone says nothing, like one that waits: the kernel finds out which it is.
void keep_alive(const unique_fd& client) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(client.get(), level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
}
}  // namespace

core::result<unique_fd> accept_client(const unique_fd& listener) {
  for (;;) {
    unique_fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      const int on = 1;
      ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      keep_alive(client);
      return client;
    }
    switch (errno) {
      case EAGAIN: return unique_fd();
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: return core::error{core::errc::busy, core::from_errno("accept a client", errno).detail};
      case EINTR:
      case EPROTO:
      case ECONNABORTED: continue;  // that client has gone again: the next one
      default: return core::from_errno("accept a client", errno);
    }
  }
}

core::result<unique_fd> begin_connect(const std::string& host, std::uint16_t port) {
  core::may_block("look up the address of a host");
  const std::string doing = "connect to " + host + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); failed != 0)
    return core::error{core::errc::unavailable, doing + ": " + ::gai_strerror(failed)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> info(found, &::freeaddrinfo);

  unique_fd fd(::socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return core::from_errno(doing, errno);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.get(), info->ai_addr, info->ai_addrlen) != 0 && errno != EINPROGRESS)
    return core::error{core::errc::unavailable, core::from_errno(doing, errno).detail};
  return fd;
}

}  // namespace strata::io
