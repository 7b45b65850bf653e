#pragma once

#include <caf/io/network/rw_state.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace strata::actors::broker {

/// The connections whose TLS handshake is not done. There are never more than `max`: a new one replaces the oldest, so
/// that a silent client holds a descriptor only as long as no other client needs it. Any thread.
class unfinished_handshakes {
 public:
  explicit unfinished_handshakes(std::size_t max) : max_(max) {}
  /// May shut down (not close) the socket that was added first.
  void add(int socket);
  void remove(int socket);

 private:
  const std::size_t max_;
  std::mutex mutex_;
  std::deque<int> sockets_;  ///< oldest first
};

/// TLS on one non-blocking socket, with the interface that CAF's streams need (policy of stream_impl). CAF's own
/// session keeps its I/O thread busy until a peer finishes the handshake. This one waits: early output is buffered, and
/// the handshake continues when the socket is readable.
class tls_session {
 public:
  enum class role { client, server };
  using rw_state = caf::io::network::rw_state;

  tls_session(const std::shared_ptr<ssl_ctx_st>& context, int socket, role as,
              std::shared_ptr<unfinished_handshakes> unfinished);
  ~tls_session();
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;

  rw_state read_some(std::size_t& read, int socket, void* to, std::size_t size);
  rw_state write_some(std::size_t& written, int socket, const void* from, std::size_t size);
  /// Whether more input is available without the socket becoming readable.
  bool must_read_more(int socket, std::size_t size);

 private:
  /// Continues the handshake, then writes the buffered output. False: the connection is lost.
  bool advance();
  [[nodiscard]] bool failed(int outcome) const;
  void finish();

  std::shared_ptr<unfinished_handshakes> unfinished_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> session_;
  int socket_;
  bool done_ = false;
  std::string early_;  ///< written before the handshake was done; at most early_max
};

}  // namespace strata::actors::broker
