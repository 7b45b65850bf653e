#include "actors/net/client_socket.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace strata::actors::net {

client_socket::client_socket(runtime::socket_watcher& sockets, io::unique_fd fd, std::size_t input_max)
    : sockets_(sockets), fd_(std::move(fd)), input_(input_max) {}

core::result<void> client_socket::watch(const runtime::socket_owner& owner) {
  let_go();
  STRATA_ASSIGN(token_, sockets_.watch(fd_.get(), {}, owner));
  watched_ = true;
  drained_ = false;
  armed_ = {};
  return {};
}

bool client_socket::fired(const runtime::socket_ready& event) {
  if (!watched_ || event.token != token_) return false;
  armed_ = {};
  if (event.events.read) drained_ = false;
  return true;
}

void client_socket::rearm(runtime::socket_events wanted) {
  if (armed_ == wanted) return;
  armed_ = wanted;
  sockets_.rearm(token_, wanted);
}

void client_socket::let_go() {
  if (std::exchange(watched_, false)) sockets_.forget(token_);
}

void client_socket::grow_input(std::size_t input_max) {
  if (input_.size() < input_max) input_.resize(input_max);
}

client_socket::outcome client_socket::receive() {
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == input_.size()) return outcome::something;
  if (drained_) return outcome::nothing;
  const ssize_t got = ::recv(fd_.get(), input_.data() + end_, input_.size() - end_, 0);
  if (got > 0) {
    end_ += static_cast<std::size_t>(got);
    drained_ = end_ < input_.size();
    return outcome::something;
  }
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) return outcome::closed;
  drained_ = errno == EAGAIN;
  return outcome::nothing;
}

client_socket::outcome client_socket::send() {
  while (output_pending()) {
    const ssize_t sent = ::send(fd_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (sent > 0) {
      sent_ += static_cast<std::size_t>(sent);
      bytes_sent_ += static_cast<std::uint64_t>(sent);
    } else if (errno == EAGAIN) {
      return outcome::nothing;
    } else if (errno != EINTR) {
      return outcome::closed;
    }
  }
  output_.clear();
  sent_ = 0;
  return outcome::something;
}

}  // namespace strata::actors::net
