#include "tests/support/chaos_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <vector>

namespace strata::tests {
namespace {

constexpr std::size_t held_max = 256u << 10;
/// How often cut() and heal() are looked at.
constexpr int tick_ms = 10;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

chaos_proxy::chaos_proxy(std::uint16_t target_port) : target_port_(target_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 64) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("can't listen for the proxy");
  port_ = ntohs(address.sin_port);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread_ = std::thread([this] { run(); });
}

chaos_proxy::~chaos_proxy() {
  ending_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto told = ::write(wake_, &one, sizeof one);
  thread_.join();
  for (auto& each : pairs_) close(each, false);
  ::close(listener_);
  ::close(wake_);
}

void chaos_proxy::run() {
  while (!ending_) {
    std::vector<pollfd> waited{{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (!cut_)
      for (const auto& each : pairs_)
        for (const auto& [from, to] : {std::pair(&each.client, &each.server), std::pair(&each.server, &each.client)}) {
          const bool reads = !from->ended && from->held.size() < held_max;
          const bool writes = !to->held.empty();
          waited.push_back({from->fd, static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0});
        }
    ::poll(waited.data(), waited.size(), tick_ms);
    accept_all();
    if (reset_) {
      for (auto& each : pairs_) close(each, true);
      pairs_.clear();
      reset_ = false;
      reset_.notify_all();
    }
    if (cut_) continue;
    std::erase_if(pairs_, [](pair& each) {
      const bool alive = pass(each.client, each.server) && pass(each.server, each.client) &&
                         !(each.client.ended && each.client.held.empty()) &&
                         !(each.server.ended && each.server.held.empty());
      if (!alive) close(each, false);
      return !alive;
    });
  }
}

void chaos_proxy::accept_all() {
  for (;;) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    set_no_delay(client);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target_port_);
    // Blocks for no time on the loopback: it is refused or taken by the kernel.
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(server);
      ::close(client);
      continue;
    }
    ::fcntl(server, F_SETFL, O_NONBLOCK);
    set_no_delay(server);
    pairs_.push_back({.client = {.fd = client}, .server = {.fd = server}});
  }
}

/// False when a side is broken.
bool chaos_proxy::pass(side& from, side& to) {
  char part[64 << 10];
  while (!from.ended && from.held.size() < held_max) {
    const ssize_t got = ::recv(from.fd, part, sizeof part, 0);
    if (got > 0) {
      from.held.append(part, static_cast<std::size_t>(got));
    } else if (got == 0) {
      from.ended = true;
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return false;
    }
  }
  while (!from.held.empty()) {
    const ssize_t sent = ::send(to.fd, from.held.data(), from.held.size(), MSG_NOSIGNAL);
    if (sent > 0)
      from.held.erase(0, static_cast<std::size_t>(sent));
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      return false;
  }
  return true;
}

void chaos_proxy::close(pair& of, bool with_reset) {
  for (const int fd : {of.client.fd, of.server.fd}) {
    if (with_reset) {
      const linger at_once{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    ::close(fd);
  }
}

}  // namespace strata::tests
