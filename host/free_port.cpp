#include "host/free_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
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

/// An abstract name, which is there once in a network namespace, like the port, and goes with its process. A bound port
/// is not enough: with SO_REUSEADDR, which connections that end make necessary, two may be bound to it.
core::result<io::unique_fd> make_claim(std::uint16_t port) {
  io::unique_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "strata/port/" + std::to_string(port);
  text.copy(name.sun_path + 1, sizeof name.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (socket && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0) return socket;
  if (errno == EADDRINUSE)
    return core::error{core::errc::conflict, "port " + std::to_string(port) + " is being given to another compute"};
  return core::from_errno("claim port " + std::to_string(port), errno);
}

core::error taken(std::uint16_t port) {
  return {core::errc::conflict, "port " + std::to_string(port) + " is taken by another program"};
}

}  // namespace

core::result<claimed_port> claimed_port::claim(std::uint16_t number) {
  STRATA_TRY(check_port(number));
  STRATA_ASSIGN(auto claim, make_claim(number));
  io::unique_fd socket = make_socket();
  if (!socket) return core::from_errno("use port " + std::to_string(number), errno);
  allow_reuse(socket.get());
  const int failure = bind_to(socket.get(), number);
  if (failure == EADDRINUSE) return taken(number);
  if (failure != 0) return core::from_errno("use port " + std::to_string(number), failure);
  return claimed_port(number, std::move(socket), std::move(claim));
}

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
    auto claim = make_claim(port);
    if (!claim) continue;
    allow_reuse(socket.get());
    return claimed_port(port, std::move(socket), *std::move(claim));
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
  if (failure == EADDRINUSE) return taken(port);
  return core::from_errno("use port " + std::to_string(port), failure);
}

}  // namespace strata::host
