#pragma once

#include <deque>
#include <optional>
#include <string>

#include "actors/compute/push_session.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "consensus/messages.hpp"
#include "io/sockets.hpp"
#include "wal/window.hpp"

namespace strata::actors::compute {

/// One connection to an acceptor, never blocking. Messages are queued without their WAL: it is read from memory when it
/// is sent, by one sendmsg for many messages. The queue is bounded by the proposer's limit of WAL in flight. Belongs to
/// one actor, which gets the socket_ready messages.
class acceptor_link {
 public:
  acceptor_link(runtime::socket_watcher& sockets, consensus::member of) : sockets_(sockets), of_(std::move(of)) {}
  ~acceptor_link() { close(); }
  acceptor_link(const acceptor_link&) = delete;
  acceptor_link& operator=(const acceptor_link&) = delete;

  [[nodiscard]] const consensus::member& of() const { return of_; }
  [[nodiscard]] consensus::node_id node() const { return of_.id; }
  /// Sets its current address.
  void moved_to(std::string host, std::uint16_t port) {
    of_.host = std::move(host);
    of_.port = port;
  }

  /// Adopts a socket that is connecting. On error it is closed.
  core::result<void> open(io::unique_fd connecting, push_session session, const runtime::socket_owner& owner);
  void close();
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] bool established() const { return session_ && session_->pushing(); }
  [[nodiscard]] bool is_current(runtime::watch_token token) const { return fd_ && token == token_; }

  /// Reads what has arrived. Then call next() until it returns no event. After an error the connection can't be used.
  core::result<void> receive();
  core::result<std::optional<push_session::event>> next();

  /// Queues a message; of an append the header only. An unsent append without WAL is replaced by the next append, which
  /// has newer positions.
  void queue(const consensus::proposer_message& message);

  /// What stopped send().
  enum class stop : std::uint8_t {
    all_sent,
    socket_full,  ///< socket_ready follows (after arm())
    wal_missing,  ///< neither source has [missing_begin(), ...)
  };
  /// Sends as much as possible; WAL is read from `own` or `fetched` (may be nullptr).
  core::result<stop> send(const wal::window& own, const wal::window* fetched);
  /// Position of the first WAL in the queue; 0: there is none.
  [[nodiscard]] core::lsn next_wal() const;
  [[nodiscard]] bool idle() const { return queue_.empty() && rest_sent_ == rest_.size(); }
  /// Whether only an append without WAL is queued, which carries positions: it may wait for one with WAL.
  [[nodiscard]] bool only_announces() const {
    return rest_sent_ == rest_.size() && queue_.size() == 1 && queue_.front().announces;
  }

  /// Requests the next socket_ready.
  void arm();

 private:
  struct outgoing {
    core::bytes head;
    core::lsn begin;
    core::lsn end;
    bool announces = false;
  };
  struct gathering;
  core::result<bool> send_rest();
  bool gather(gathering& into, const wal::window& own, const wal::window* fetched) const;
  void forget_sent(std::size_t sent, const gathering& of);

  runtime::socket_watcher& sockets_;
  consensus::member of_;
  io::unique_fd fd_;
  runtime::watch_token token_;
  std::optional<push_session> session_;
  bool connected_ = false;
  bool socket_full_ = false;
  std::deque<outgoing> queue_;
  core::bytes rest_;  ///< of a partly sent message, copied: its WAL may leave memory before the socket accepts it
  std::size_t rest_sent_ = 0;
};

}  // namespace strata::actors::compute
