#pragma once

#include <optional>

#include "actors/runtime/socket_watcher.hpp"
#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::net {

/// A replication connection together with the watch on its descriptor, which libpq may replace while it connects.
/// Belongs to one actor, which gets the runtime::socket_ready messages.
class replication_link {
 public:
  explicit replication_link(runtime::socket_watcher& sockets) : sockets_(sockets) {}
  ~replication_link() { close(); }
  replication_link(const replication_link&) = delete;
  replication_link& operator=(const replication_link&) = delete;

  void adopt(pg::client::replication_connection connection);
  void close();
  [[nodiscard]] bool open() const { return connection_.has_value(); }
  /// Precondition: open().
  pg::client::replication_connection& connection() { return *connection_; }

  [[nodiscard]] bool is_current(runtime::watch_token token) const { return watched_fd_ >= 0 && token == token_; }
  /// Requests one runtime::socket_ready for when the connection can continue.
  core::result<void> arm(const runtime::socket_owner& owner);

 private:
  runtime::socket_watcher& sockets_;
  std::optional<pg::client::replication_connection> connection_;
  runtime::watch_token token_;
  int watched_fd_ = -1;
};

}  // namespace strata::actors::net
