#include "host/free_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>
#include <string>

namespace strata::host {
namespace {

// Below the range from which the kernel serves outgoing connections (32768 on), so that none of those takes it first.
constexpr std::uint16_t lowest = 20000;
constexpr std::uint16_t highest = 32000;
constexpr int attempts = 200;

void allow_reuse(int socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

/// 0, or errno.
int bind_to(int socket, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

io::unique_fd make_socket() { return io::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

}  // namespace

core::result<claimed_port> claimed_port::choose() {
  std::random_device seed;
  std::uniform_int_distribution<int> any(lowest, highest);
  for (int i = 0; i < attempts; ++i) {
    const auto port = static_cast<std::uint16_t>(any(seed));
    io::unique_fd socket = make_socket();
    if (!socket) return core::from_errno("find a free port", errno);
    // Without reuse this fails when anybody else is bound to it; with it, afterwards, the one who is to listen is not
    // kept from it.
    if (bind_to(socket.get(), port) != 0) continue;
    allow_reuse(socket.get());
    return claimed_port(port, std::move(socket));
  }
  return core::error{core::errc::busy,
                     "no free TCP port found from " + std::to_string(lowest) + " to " + std::to_string(highest)};
}

core::result<std::uint16_t> free_port() {
  STRATA_ASSIGN(const auto claimed, claimed_port::choose());
  return claimed.number();
}

core::result<void> check_port(std::uint16_t port) {
  const io::unique_fd socket = make_socket();
  if (!socket) return core::from_errno("use port " + std::to_string(port), errno);
  allow_reuse(socket.get());
  const int failure = bind_to(socket.get(), port);
  if (failure == 0) return {};
  if (failure == EADDRINUSE)
    return core::error{core::errc::conflict, "port " + std::to_string(port) + " is taken by another program"};
  return core::from_errno("use port " + std::to_string(port), failure);
}

}  // namespace strata::host
