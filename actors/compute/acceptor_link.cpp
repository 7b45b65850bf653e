#include "actors/compute/acceptor_link.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "pg/wire/frames.hpp"

namespace strata::actors::compute {

/// The input of one sendmsg: whole messages from the front of the queue.
struct acceptor_link::gathering {
  static constexpr std::size_t parts_per_message = 3;
  static constexpr std::size_t messages_max = 32;
  std::array<iovec, parts_per_message * messages_max> parts;
  std::size_t count = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;

  void add(core::bytes_view part) {
    parts[count++] = {const_cast<std::uint8_t*>(part.data()), part.size()};
    bytes += part.size();
  }
};

core::result<void> acceptor_link::open(io::unique_fd connecting, push_session session,
                                       const runtime::socket_owner& owner) {
  close();
  STRATA_ASSIGN(token_, sockets_.watch(connecting.get(), {.read = false, .write = true}, owner));
  fd_ = std::move(connecting);
  session_.emplace(std::move(session));
  return {};
}

void acceptor_link::close() {
  if (fd_) sockets_.forget(token_);
  fd_.reset();
  session_.reset();
  connected_ = socket_full_ = false;
  queue_.clear();
  rest_.clear();
  rest_sent_ = 0;
}

core::result<void> acceptor_link::receive() {
  if (!connected_) {
    int failure = 0;
    socklen_t size = sizeof failure;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) return core::error{core::errc::unavailable, core::from_errno("connect", failure).detail};
    connected_ = true;
    rest_ = session_->take_output();
    rest_sent_ = 0;
    return {};
  }
  const core::bytes_span space = session_->space();
  const ssize_t got = ::recv(fd_.get(), space.data(), space.size(), 0);
  if (got > 0) {
    session_->received(static_cast<std::size_t>(got));
    return {};
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got < 0) return core::error{core::errc::unavailable, core::from_errno("receive", errno).detail};
  return core::error{core::errc::unavailable, "the safekeeper has closed the connection"};
}

core::result<std::optional<push_session::event>> acceptor_link::next() {
  auto event = session_->next();
  if (core::bytes output = session_->take_output(); !output.empty()) core::append(rest_, output);
  return event;
}

void acceptor_link::queue(const consensus::proposer_message& message) {
  outgoing made;
  core::bytes body;
  body.reserve(64);
  protocol::encode(message, body);
  if (const auto* append = std::get_if<consensus::append>(&message)) {
    made.begin = append->begin;
    made.end = append->end;
    made.announces = append->begin == append->end;
    if (!queue_.empty() && queue_.back().announces) queue_.pop_back();
  }
  made.head.reserve(body.size() + 5);
  pg::wire::append_copy_data_header(made.head, body.size() + static_cast<std::size_t>(made.end - made.begin));
  core::append(made.head, body);
  queue_.push_back(std::move(made));
}

core::lsn acceptor_link::next_wal() const {
  for (const auto& each : queue_)
    if (each.begin < each.end) return each.begin;
  return {};
}

core::result<acceptor_link::stop> acceptor_link::send(const wal::window& own, const wal::window* fetched) {
  socket_full_ = false;
  for (;;) {
    STRATA_ASSIGN(const bool taken, send_rest());
    if (!taken) return stop::socket_full;
    if (queue_.empty()) return stop::all_sent;
    gathering batch;
    const bool complete = gather(batch, own, fetched);
    if (batch.messages == 0) return complete ? stop::all_sent : stop::wal_missing;
    msghdr header{};
    header.msg_iov = batch.parts.data();
    header.msg_iovlen = batch.count;
    const ssize_t sent = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
    if (sent >= 0) {
      forget_sent(static_cast<std::size_t>(sent), batch);
    } else if (errno == EAGAIN) {
      socket_full_ = true;
      return stop::socket_full;
    } else if (errno != EINTR) {
      return core::error{core::errc::unavailable, core::from_errno("send", errno).detail};
    }
  }
}

/// False when the socket accepts no more.
core::result<bool> acceptor_link::send_rest() {
  while (rest_sent_ < rest_.size()) {
    const ssize_t sent = ::send(fd_.get(), rest_.data() + rest_sent_, rest_.size() - rest_sent_, MSG_NOSIGNAL);
    if (sent >= 0) {
      rest_sent_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      socket_full_ = true;
      return false;
    } else if (errno != EINTR) {
      return core::error{core::errc::unavailable, core::from_errno("send", errno).detail};
    }
  }
  rest_.clear();
  rest_sent_ = 0;
  return true;
}

/// False when it stopped at a message whose WAL is not in memory.
bool acceptor_link::gather(gathering& into, const wal::window& own, const wal::window* fetched) const {
  // Enough to keep a socket busy; more would only be copied when it accepts a part.
  constexpr std::size_t bytes_max = 512u << 10;
  for (const auto& each : queue_) {
    if (into.messages == gathering::messages_max || into.bytes >= bytes_max) return true;
    const wal::window* from = own.holds(each.begin, each.end) ? &own : fetched;
    const bool has_wal = each.begin < each.end;
    if (has_wal && (from == nullptr || !from->holds(each.begin, each.end))) return false;
    into.add(each.head);
    if (has_wal) {
      const auto parts = from->view(each.begin, each.end);
      for (std::size_t i = 0; i < parts.count; ++i) into.add(parts.part[i]);
    }
    ++into.messages;
  }
  return true;
}

void acceptor_link::forget_sent(std::size_t sent, const gathering& of) {
  std::size_t part = 0;
  while (!queue_.empty() && sent > 0) {
    const auto& first = queue_.front();
    const std::size_t size = first.head.size() + static_cast<std::size_t>(first.end - first.begin);
    std::size_t skipped = sent;
    for (std::size_t seen = 0; seen < size; ++part) {
      const auto* bytes = static_cast<const std::uint8_t*>(of.parts[part].iov_base);
      const std::size_t length = of.parts[part].iov_len;
      if (skipped < length) rest_.insert(rest_.end(), bytes + skipped, bytes + length);
      skipped -= std::min(skipped, length);
      seen += length;
    }
    sent -= std::min(sent, size);
    queue_.pop_front();
  }
}

void acceptor_link::arm() { sockets_.rearm(token_, {.read = connected_, .write = !connected_ || socket_full_}); }

}  // namespace strata::actors::compute
