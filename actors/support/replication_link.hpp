#pragma once

#include <optional>

#include "actors/support/socket_watcher.hpp"
#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::support {

/// A replication connection together with the watch on its descriptor, which libpq may replace while it connects.
/// Belongs to one actor, which gets the socket_ready messages.
class replication_link {
 public:
  explicit replication_link(socket_watcher& sockets) : sockets_(sockets) {}
  ~replication_link() { close(); }
  replication_link(const replication_link&) = delete;
  replication_link& operator=(const replication_link&) = delete;

  void adopt(pg::client::replication_connection connection);
  void close();
  [[nodiscard]] bool open() const { return connection_.has_value(); }
  /// Precondition: open().
  pg::client::replication_connection& connection() { return *connection_; }

  [[nodiscard]] bool is_current(watch_token token) const { return watched_fd_ >= 0 && token == token_; }
  /// Asks for one socket_ready when the connection can go on.
  core::result<void> arm(const socket_owner& owner);

 private:
  socket_watcher& sockets_;
  std::optional<pg::client::replication_connection> connection_;
  watch_token token_;
  int watched_fd_ = -1;
};

}  // namespace strata::actors::support
