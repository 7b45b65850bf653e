#include "host/free_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>

namespace strata::host {
namespace {

// Below the range from which the kernel serves outgoing connections (32768 on), so that none of those takes it first.
constexpr std::uint16_t lowest = 20000;
constexpr std::uint16_t highest = 32000;
constexpr int attempts = 200;

/// 0, or errno.
int try_port(std::uint16_t port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return errno;
  const int yes = 1;
  ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int failure = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(probe);
  return failure;
}

}  // namespace

core::result<std::uint16_t> free_port() {
  std::random_device seed;
  std::uniform_int_distribution<int> any(lowest, highest);
  for (int i = 0; i < attempts; ++i) {
    const auto port = static_cast<std::uint16_t>(any(seed));
    if (try_port(port) == 0) return port;
  }
  return core::error{core::errc::busy,
                     "no free TCP port found from " + std::to_string(lowest) + " to " + std::to_string(highest)};
}

core::result<void> check_port(std::uint16_t port) {
  const int failure = try_port(port);
  if (failure == 0) return {};
  if (failure == EADDRINUSE)
    return core::error{core::errc::conflict, "port " + std::to_string(port) + " is taken by another program"};
  return core::from_errno("use port " + std::to_string(port), failure);
}

}  // namespace strata::host
