#include "actors/net/replication_link.hpp"

namespace strata::actors::net {

void replication_link::adopt(pg::client::replication_connection connection) {
  close();
  connection_.emplace(std::move(connection));
}

void replication_link::close() {
  if (watched_fd_ >= 0) sockets_.forget(token_);
  watched_fd_ = -1;
  connection_.reset();
}

core::result<void> replication_link::arm(const runtime::socket_owner& owner) {
  const int fd = connection_->fd();
  const runtime::socket_events wanted{.read = connection_->wants_read(), .write = connection_->wants_write()};
  if (fd == watched_fd_) {
    sockets_.rearm(token_, wanted);
    return {};
  }
  if (watched_fd_ >= 0) sockets_.forget(token_);
  watched_fd_ = -1;
  STRATA_ASSIGN(token_, sockets_.watch(fd, wanted, owner));
  watched_fd_ = fd;
  return {};
}

}  // namespace strata::actors::net
