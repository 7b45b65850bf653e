#include "actors/broker/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>

namespace strata::actors::broker {
namespace {

/// CAF writes its own greeting first, a few hundred bytes; the rest waits for the peer's.
constexpr std::size_t early_max = 64u << 10;

/// OpenSSL writes to sockets as to files, without MSG_NOSIGNAL. Blocked once in each thread that uses it: CAF's I/O
/// thread.
void block_broken_pipes() {
  static thread_local const bool blocked = [] {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPIPE);
    return ::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0;
  }();
  static_cast<void>(blocked);
}

}  // namespace

void unfinished_handshakes::add(int socket) {
  const std::lock_guard lock(mutex_);
  sockets_.push_back(socket);
  if (sockets_.size() <= max_) return;
  // Its owner sees the end of the stream and closes it.
  ::shutdown(sockets_.front(), SHUT_RDWR);
  sockets_.pop_front();
}

void unfinished_handshakes::remove(int socket) {
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, socket);
}

tls_session::tls_session(const std::shared_ptr<ssl_ctx_st>& context, int socket, role as,
                         std::shared_ptr<unfinished_handshakes> unfinished)
    : unfinished_(std::move(unfinished)), session_(::SSL_new(context.get()), ::SSL_free), socket_(socket) {
  unfinished_->add(socket);
  if (!session_) return;
  ::SSL_set_fd(session_.get(), socket);
  if (as == role::server)
    ::SSL_set_accept_state(session_.get());
  else
    ::SSL_set_connect_state(session_.get());
}

// Before the socket is closed: its owner destroys us first.
tls_session::~tls_session() { finish(); }

void tls_session::finish() {
  if (!done_) unfinished_->remove(socket_);
  done_ = true;
}

bool tls_session::failed(int outcome) const {
  const int why = ::SSL_get_error(session_.get(), outcome);
  return why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
}

bool tls_session::advance() {
  if (!session_) return false;
  block_broken_pipes();
  ::ERR_clear_error();
  if (!done_) {
    if (const int outcome = ::SSL_do_handshake(session_.get()); outcome != 1) return !failed(outcome);
    finish();
  }
  while (!early_.empty()) {
    const int outcome = ::SSL_write(session_.get(), early_.data(), static_cast<int>(early_.size()));
    if (outcome <= 0) return !failed(outcome);
    early_.erase(0, static_cast<std::size_t>(outcome));
  }
  return true;
}

tls_session::rw_state tls_session::read_some(std::size_t& read, int, void* to, std::size_t size) {
  read = 0;
  if (!advance()) return rw_state::failure;
  if (!done_) return rw_state::success;
  const int outcome = ::SSL_read(session_.get(), to, static_cast<int>(std::min<std::size_t>(size, 1u << 30)));
  if (outcome <= 0) return failed(outcome) ? rw_state::failure : rw_state::success;
  read = static_cast<std::size_t>(outcome);
  return rw_state::success;
}

tls_session::rw_state tls_session::write_some(std::size_t& written, int, const void* from, std::size_t size) {
  written = 0;
  if (!advance()) return rw_state::failure;
  // "Nothing to write": CAF waits for reading only.
  if (size == 0) return rw_state::indeterminate;
  if (!done_) {
    if (early_.size() + size > early_max) return rw_state::failure;
    early_.append(static_cast<const char*>(from), size);
    written = size;
    return rw_state::success;
  }
  if (!early_.empty()) return rw_state::success;
  const int outcome = ::SSL_write(session_.get(), from, static_cast<int>(std::min<std::size_t>(size, 1u << 30)));
  if (outcome <= 0) return failed(outcome) ? rw_state::failure : rw_state::success;
  written = static_cast<std::size_t>(outcome);
  return rw_state::success;
}

bool tls_session::must_read_more(int, std::size_t size) {
  return done_ && static_cast<std::size_t>(::SSL_pending(session_.get())) >= size;
}

}  // namespace strata::actors::broker
