#pragma once

#include "actors/runtime/socket_watcher.hpp"
#include "core/bytes.hpp"
#include "io/sockets.hpp"

namespace strata::actors::net {

/// A client's socket with unconsumed input and unsent output. One actor has it at a time and gets its
/// runtime::socket_ready messages; it may be handed over.
class client_socket {
 public:
  /// `input_max`: bytes of unconsumed input; at least the longest frame.
  client_socket(runtime::socket_watcher& sockets, io::unique_fd fd, std::size_t input_max);
  ~client_socket() { let_go(); }
  client_socket(const client_socket&) = delete;
  client_socket& operator=(const client_socket&) = delete;

  /// From now on `owner` gets a socket_ready, once for each rearm(), and passes it to fired().
  core::result<void> watch(const runtime::socket_owner& owner);
  void let_go();
  /// False: the event belongs to another socket, or to an earlier watch.
  [[nodiscard]] bool fired(const runtime::socket_ready& event);
  void rearm(runtime::socket_events wanted);

  /// Makes room for longer frames.
  void grow_input(std::size_t input_max);
  enum class outcome : std::uint8_t { something, nothing, closed };
  /// Reads input as far as there is room. When all was read the result is `nothing` until the socket
  /// has fired.
  outcome receive();
  /// The next receive() asks the socket, although the last one emptied it.
  void expect_input() { drained_ = false; }
  [[nodiscard]] core::bytes_view input() const { return core::bytes_view(input_).subspan(begin_, end_ - begin_); }
  void consume(std::size_t count) { begin_ += count; }

  /// Output: append to it.
  core::bytes& output() { return output_; }
  [[nodiscard]] bool output_pending() const { return sent_ < output_.size(); }
  /// Since the connection began.
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  /// Sends what the client accepts now. nothing: it accepts no more; something: all is sent.
  outcome send();

 private:
  runtime::socket_watcher& sockets_;
  io::unique_fd fd_;
  runtime::watch_token token_;
  bool watched_ = false;
  bool drained_ = false;
  runtime::socket_events armed_;
  core::bytes input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  core::bytes output_;
  std::size_t sent_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace strata::actors::net
