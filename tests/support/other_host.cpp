#include "tests/support/other_host.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <vector>

namespace strata::tests {
namespace {

io::unique_fd opened(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return io::unique_fd(fd);
}

/// IPv4 packets to an address, and nothing before the filter is in place. None: not root.
io::unique_fd packets_to(const std::string& address) {
  io::unique_fd made(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made) return made;
  constexpr std::uint32_t offset_of_destination = 16;
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_destination),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(::inet_addr(address.c_str())), 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, 64), BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog filter{std::size(code), code};
  sockaddr_ll device{};
  device.sll_family = AF_PACKET;
  device.sll_protocol = htons(ETH_P_IP);
  device.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
  if (::setsockopt(made.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0 ||
      ::bind(made.get(), reinterpret_cast<const sockaddr*>(&device), sizeof device) != 0)
    throw std::system_error(errno, std::generic_category(), "watch the packets");
  return made;
}

}  // namespace

other_host::other_host() : stop_(opened(::eventfd(0, EFD_CLOEXEC), "make an event")) {
  const unsigned number = static_cast<unsigned>(::getpid());
  address_ = "127." + std::to_string(64 + (number >> 16) % 64) + "." + std::to_string(number >> 8 & 0xff) + "." +
             std::to_string(number & 0xff);
}

other_host::~other_host() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  std::ignore = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

std::uint16_t other_host::port(const std::string& name) {
  service& of = services_[name];
  if (of.port != 0) return of.port;
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = ::inet_addr(address_.c_str());
  socklen_t size = sizeof at;
  of.tcp = opened(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "make a socket");
  of.udp = opened(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "make a socket");
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(of.tcp.get(), address, sizeof at) != 0 || ::listen(of.tcp.get(), 64) != 0 ||
      ::getsockname(of.tcp.get(), address, &size) != 0 || ::bind(of.udp.get(), address, sizeof at) != 0)
    throw std::system_error(errno, std::generic_category(), "listen on " + address_);
  of.port = ntohs(at.sin_port);
  return of.port;
}

sockaddr_in other_host::socket_address(const std::string& name) const {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = ::inet_addr(address_.c_str());
  at.sin_port = htons(services_.at(name).port);
  return at;
}

std::string other_host::conninfo(const std::string& name) {
  return "host=" + address_ + " port=" + std::to_string(port(name));
}

void other_host::watch() {
  packet_socket_ = packets_to(address_);
  thread_ = std::thread([this] { serve(); });
}

void other_host::serve() {
  std::vector<pollfd> all{{stop_.get(), POLLIN, 0}};
  for (const auto& [name, each] : services_)
    for (const int fd : {each.tcp.get(), each.udp.get()}) all.push_back({fd, POLLIN, 0});
  for (;;) {
    if (::poll(all.data(), all.size(), -1) < 0 && errno != EINTR) return;
    if (all.front().revents != 0) return;
    for (auto& [name, each] : services_) {
      for (int client; (client = ::accept4(each.tcp.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ++each.visits)
        ::close(client);
      for (char byte; ::recv(each.udp.get(), &byte, 1, 0) >= 0;) ++each.visits;
    }
  }
}

std::size_t other_host::visits() const {
  std::size_t all = 0;
  for (const auto& [name, each] : services_) all += each.visits;
  return all;
}

std::optional<std::size_t> other_host::packets() const {
  if (!packet_socket_) return std::nullopt;
  for (char header[64]; ::recv(packet_socket_.get(), header, sizeof header, 0) >= 0;) ++packets_;
  return packets_;
}

}  // namespace strata::tests
