#include "tests/support/fake_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tests/support/free_port.hpp"

namespace strata::tests {
namespace {

void append_size(std::string& to, std::size_t size) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(size >> shift & 0xFF);
}

std::string message(char type, const std::string& body) {
  std::string made(1, type);
  append_size(made, body.size() + 4);
  return made + body;
}

bool receive_all(int from, char* to, std::size_t count) {
  return ::recv(from, to, count, MSG_WAITALL) == static_cast<ssize_t>(count);
}

std::uint32_t number_at(const char* from) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

}  // namespace

fake_postgres::fake_postgres(std::string version)
    : version_(std::move(version)), port_(free_port()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0)
    throw std::system_error(errno, std::generic_category(), "listen");
  thread_ = std::thread([this] { serve(); });
}

fake_postgres::~fake_postgres() {
  ended_ = true;
  thread_.join();
  ::close(listener_);
}

void fake_postgres::serve() {
  while (!ended_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 50) <= 0) continue;
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) continue;
    greet(client);
    ::close(client);
  }
}

void fake_postgres::greet(int client) const {
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  for (;;) {
    char header[8];
    if (!receive_all(client, header, sizeof header)) return;
    const std::uint32_t size = number_at(header);
    const std::uint32_t code = number_at(header + 4);
    if (code == 80877103 || code == 80877104) {  // encryption is asked for first
      if (::send(client, "N", 1, MSG_NOSIGNAL) != 1) return;
      continue;
    }
    std::string words(size - 8, '\0');
    if (size > 8 && !receive_all(client, words.data(), words.size())) return;
    break;
  }
  const std::string zero(1, '\0');
  const std::string hello = message('R', std::string(4, '\0')) +
                            message('S', "server_version" + zero + version_ + zero) +
                            message('S', "integer_datetimes" + zero + "on" + zero) + message('Z', "I");
  if (::send(client, hello.data(), hello.size(), MSG_NOSIGNAL) < 0) return;
  char ignored[256];
  while (::recv(client, ignored, sizeof ignored, 0) > 0) continue;
}

}  // namespace strata::tests
