#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/net/client_socket.hpp"
#include "core/error.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::net {

/// The server's side of a Postgres connection (protocol 3.0, "Message Flow"): start-up, frames of the client one by
/// one, output. Belongs to one actor, which gets the socket_ready messages. SSL and GSS encryption are declined.
class server_session {
 public:
  server_session(runtime::socket_watcher& sockets, io::unique_fd fd);

  core::result<void> watch(const runtime::socket_owner& owner) { return socket_->watch(owner); }
  /// False: the event belongs to another socket, or to an earlier watch of this one.
  [[nodiscard]] bool fired(const runtime::socket_ready& event) { return socket_ && socket_->fired(event); }

  [[nodiscard]] bool started() const { return state_ != state::startup; }
  [[nodiscard]] bool closing() const { return state_ == state::closing; }
  /// The connection ends once the output has been sent.
  void close() { state_ = state::closing; }

  enum class step : std::uint8_t {
    go_on,
    wait,   ///< the client must act; the socket is armed
    ended,  ///< the client has closed, or the output of a closing connection was sent
  };
  /// Sends output as far as the client accepts it.
  [[nodiscard]] step send();
  /// Reads input. Precondition: next_frame() has returned none.
  [[nodiscard]] step receive();

  /// The next frame for the owner, none when it is not complete. An invalid frame is answered with
  /// an error and closes the connection. Valid until consume().
  [[nodiscard]] std::optional<pg::wire::frame> next_frame();
  void consume(const pg::wire::frame& frame) { socket_->consume(frame.size); }

  using parameters = std::vector<std::pair<std::string_view, std::string_view>>;
  /// Answers a start-up packet; no authentication. `more`: parameters besides those of every server.
  void welcome(std::string_view server_version, const parameters& more = {});
  /// Answers with an error after which the connection ends.
  void end(const core::error& why);

  /// Output: append to it.
  [[nodiscard]] core::bytes& output() { return socket_->output(); }
  [[nodiscard]] bool output_pending() const { return socket_->output_pending(); }
  [[nodiscard]] std::uint64_t bytes_sent() const { return socket_->bytes_sent(); }

  /// Hands the socket to another owner, with unconsumed input and unsent output. Until it is returned, only fired() may
  /// be called.
  [[nodiscard]] std::shared_ptr<client_socket> hand_over();
  void take_back(std::shared_ptr<client_socket> socket) { socket_ = std::move(socket); }

 private:
  enum class state : std::uint8_t { startup, ready, closing };

  std::shared_ptr<client_socket> socket_;
  state state_ = state::startup;
};

}  // namespace strata::actors::net
