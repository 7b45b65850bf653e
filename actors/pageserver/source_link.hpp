#pragma once

#include <optional>
#include <string>

#include "actors/pageserver/source_session.hpp"
#include "actors/support/socket_watcher.hpp"
#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::pageserver {

/// A replication connection together with the watch on its descriptor, which libpq may replace while it connects.
/// Belongs to one actor, which gets the socket_ready messages.
class source_link {
 public:
  explicit source_link(support::socket_watcher& sockets) : sockets_(sockets) {}
  ~source_link() { close(); }
  source_link(const source_link&) = delete;
  source_link& operator=(const source_link&) = delete;

  void adopt(pg::client::replication_connection connection);
  void close();
  [[nodiscard]] bool open() const { return connection_.has_value(); }
  /// Precondition: open().
  pg::client::replication_connection& connection() { return *connection_; }

  [[nodiscard]] bool is_current(support::watch_token token) const { return watched_fd_ >= 0 && token == token_; }
  /// Asks for one socket_ready when the connection can go on.
  core::result<void> arm(const support::socket_owner& owner);

  /// Sends what a session wants. Precondition: open().
  core::result<void> carry_out(const session_command& command, const std::string& slot);

 private:
  support::socket_watcher& sockets_;
  std::optional<pg::client::replication_connection> connection_;
  support::watch_token token_;
  int watched_fd_ = -1;
};

}  // namespace strata::actors::pageserver
