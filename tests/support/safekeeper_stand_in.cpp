#include "tests/support/safekeeper_stand_in.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <system_error>

#include "tests/support/free_port.hpp"

namespace strata::tests {
namespace {

constexpr std::uint32_t ssl_request = 80877103;
constexpr std::uint32_t gss_request = 80877104;

std::uint32_t number_at(const char* from) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}
void append_number(std::string& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xFF);
}
bool receive_all(int from, char* to, std::size_t count) {
  return count == 0 || ::recv(from, to, count, MSG_WAITALL) == static_cast<ssize_t>(count);
}
bool send_all(int to, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t sent = ::send(to, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return true;
}
sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

safekeeper_stand_in::safekeeper_stand_in(std::uint16_t postgres_port)
    : postgres_port_(postgres_port), port_(free_port()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback(port_);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0)
    throw std::system_error(errno, std::generic_category(), "listen");
  thread_ = std::thread([this] { accept_all(); });
}

safekeeper_stand_in::~safekeeper_stand_in() {
  ended_ = true;
  thread_.join();
  ::close(listener_);
}

void safekeeper_stand_in::cut() { ++cuts_; }

std::string safekeeper_stand_in::options() const {
  const std::lock_guard guard(mutex_);
  return options_;
}

// One connection at a time: a timeline has one receiver.
void safekeeper_stand_in::accept_all() {
  while (!ended_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) continue;
    ++connections_;
    serve(client);
    ::close(client);
  }
}

int safekeeper_stand_in::connect_on(const std::string& startup) const {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(postgres_port_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      send_all(server, startup.data(), startup.size()))
    return server;
  ::close(server);
  return -1;
}

void safekeeper_stand_in::serve(int client) {
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string words;
  for (;;) {
    char header[8];
    if (!receive_all(client, header, sizeof header) || number_at(header) < 8 || number_at(header) > 10000) return;
    words.resize(number_at(header) - 8);
    if (!receive_all(client, words.data(), words.size())) return;
    const std::uint32_t code = number_at(header + 4);
    if (code != ssl_request && code != gss_request) break;
    if (!send_all(client, "N", 1)) return;
  }
  std::string body;
  append_number(body, 3u << 16);
  for (std::size_t at = 0; at < words.size() && words[at] != '\0';) {
    const std::string name(words.c_str() + at);
    const std::string value(words.c_str() + at + name.size() + 1);
    at += name.size() + value.size() + 2;
    if (name == "options") {
      const std::lock_guard guard(mutex_);
      options_ = value;
    } else {
      body += name + '\0' + (name == "user" ? "postgres" : value) + '\0';
    }
  }
  body += '\0';
  std::string startup;
  append_number(startup, static_cast<std::uint32_t>(body.size() + 4));
  const int server = connect_on(startup + body);
  if (server < 0) return;

  std::string from_client;
  char bytes[65536];
  for (const std::uint64_t cuts = cuts_; !ended_ && cuts == cuts_;) {
    pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(both, 2, 20) <= 0) continue;
    if (both[0].revents != 0) {
      const ssize_t got = ::recv(client, bytes, sizeof bytes, 0);
      if (got <= 0) break;
      from_client.append(bytes, static_cast<std::size_t>(got));
      if (!pass_messages(from_client, server)) break;
    }
    if (both[1].revents != 0) {
      const ssize_t got = ::recv(server, bytes, sizeof bytes, 0);
      if (got <= 0 || !send_all(client, bytes, static_cast<std::size_t>(got))) break;
    }
  }
  ::close(server);
}

bool safekeeper_stand_in::pass_messages(std::string& buffer, int to) {
  while (buffer.size() >= 5) {
    const std::size_t size = 1 + number_at(buffer.data() + 1);
    if (buffer.size() < size) return true;
    std::string message = buffer.substr(0, size);
    buffer.erase(0, size);
    if (message[0] == 'd' && size > 5 && message[5] == 'z') {
      ++feedbacks_;
      continue;
    }
    // A status: written, flushed, ...
    if (message[0] == 'd' && size > 22 && message[5] == 'r') message.replace(14, 8, message, 6, 8);
    if (!send_all(to, message.data(), message.size())) return false;
  }
  return true;
}

}  // namespace strata::tests
