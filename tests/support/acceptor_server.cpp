#include "tests/support/acceptor_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "pg/wire/frames.hpp"
#include "pg/wire/replication_messages.hpp"
#include "pg/wire/safekeeper_commands.hpp"
#include "protocol/quorum_codec.hpp"
#include "tests/support/free_port.hpp"

namespace strata::tests {
namespace {

namespace wire = pg::wire;

bool send_all(int fd, core::bytes_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(fd, 16) != 0)
    throw std::runtime_error("an acceptor can't listen");
  return fd;
}

}  // namespace

acceptor_server::acceptor_server(std::uint64_t id) : id_(id), port_(free_port()) { start(); }
acceptor_server::~acceptor_server() { stop(); }

consensus::member acceptor_server::address() const { return {{id_}, "127.0.0.1", port_}; }

void acceptor_server::start() {
  stopped_ = false;
  listener_ = listen_on(port_);
  accepting_ = std::thread([this] { accept_clients(); });
}

void acceptor_server::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    paused_ = false;
    ::shutdown(listener_, SHUT_RDWR);
    for (const auto& each : clients_) ::shutdown(each.fd, SHUT_RDWR);
  }
  moved_.notify_all();
  accepting_.join();
  ::close(listener_);
  for (auto& each : clients_) {
    each.thread.join();
    ::close(each.fd);
  }
  clients_.clear();
  // What was written and not flushed is lost with a process.
  if (acceptor_) {
    wal_.resize(static_cast<std::size_t>(acceptor_->flush_lsn() - origin_));
    acceptor_ = std::make_unique<consensus::acceptor>(acceptor_->self(), acceptor_->state(), acceptor_->flush_lsn());
    decode_from(acceptor_->flush_lsn());
  }
}

void acceptor_server::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
}
void acceptor_server::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  moved_.notify_all();
}
void acceptor_server::give(const consensus::acceptor_input& input) {
  const std::lock_guard lock(mutex_);
  core::bytes nothing;
  if (auto effects = acceptor_->step(input)) carry_out(*effects, {}, nothing);
}

core::lsn acceptor_server::flush_lsn() const {
  const std::lock_guard lock(mutex_);
  return acceptor_ ? acceptor_->flush_lsn() : core::lsn();
}
core::lsn acceptor_server::commit_lsn() const {
  const std::lock_guard lock(mutex_);
  return acceptor_ ? acceptor_->commit_lsn() : core::lsn();
}
consensus::term acceptor_server::in() const {
  const std::lock_guard lock(mutex_);
  return acceptor_ ? acceptor_->state().in : consensus::term();
}
core::bytes acceptor_server::wal(core::lsn from, core::lsn to) const {
  const std::lock_guard lock(mutex_);
  if (from < origin_ || to < from || to > origin_ + wal_.size()) throw std::out_of_range("an acceptor lacks WAL");
  return {wal_.begin() + static_cast<std::ptrdiff_t>(from - origin_),
          wal_.begin() + static_cast<std::ptrdiff_t>(to - origin_)};
}
std::uint64_t acceptor_server::bytes_lent() const {
  const std::lock_guard lock(mutex_);
  return lent_;
}

void acceptor_server::accept_clients() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopped_ || fd < 0) {
      if (fd >= 0) ::close(fd);
      return;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients_.push_back({fd, std::thread([this, fd] { serve(fd); })});
  }
}

void acceptor_server::wait_while_paused() {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [this] { return !paused_; });
}

void acceptor_server::serve(int fd) {
  core::bytes input;
  bool started = false;
  bool pushing = false;
  std::uint8_t part[64 << 10];
  for (;;) {
    const ssize_t got = ::recv(fd, part, sizeof part, 0);
    if (got <= 0) break;
    wait_while_paused();
    input.insert(input.end(), part, part + got);
    for (;;) {
      const auto frame = wire::parse_frame(input, started, protocol::message_size_max + 4);
      if (!frame || !*frame) break;
      core::bytes answer;
      if ((*frame)->kind == wire::frame_kind::startup) {
        started = true;
        wire::append_authentication_ok(answer);
        wire::append_parameter_status(answer, "server_version", "15.0 (Strata)");
        wire::append_parameter_status(answer, "client_encoding", "UTF8");
        wire::append_ready_for_query(answer);
      } else if (!started) {
        answer.push_back('N');
      } else if ((*frame)->kind == wire::frame_kind::query) {
        const auto command =
            wire::parse_wal_command({reinterpret_cast<const char*>((*frame)->body.data()), (*frame)->body.size()});
        wire::append_copy_both_response(answer);
        if (const auto* stream = command ? std::get_if<wire::start_wal_stream>(&*command) : nullptr) {
          if (!send_all(fd, answer)) break;
          return lend(fd, stream->from, {stream->term.value_or(0)});
        }
        pushing = true;
      } else if (pushing && (*frame)->kind == wire::frame_kind::copy_data && !push(fd, (*frame)->body)) {
        ::shutdown(fd, SHUT_RDWR);
        return;
      }
      if (!send_all(fd, answer)) return;
      input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>((*frame)->size));
    }
  }
  ::shutdown(fd, SHUT_RDWR);
}

bool acceptor_server::push(int fd, core::bytes_view payload) {
  const auto message = protocol::decode_from_proposer(payload);
  if (!message) return false;
  core::bytes replies;
  {
    const std::lock_guard lock(mutex_);
    if (!acceptor_) {
      const auto* greeting = std::get_if<consensus::greeting>(&message->message);
      if (greeting == nullptr) return false;
      consensus::acceptor_state state;
      state.tenant = greeting->tenant;
      state.timeline = greeting->timeline;
      acceptor_ = std::make_unique<consensus::acceptor>(consensus::node_id{id_}, state, core::lsn());
    }
    const auto effects = std::visit([&](const auto& each) { return acceptor_->step(consensus::acceptor_input(each)); },
                                    message->message);
    if (!effects) return false;
    carry_out(*effects, message->wal, replies);
    if (acceptor_->owes_reply()) find_records();
    if (acceptor_->owes_reply()) {
      const auto flushed = acceptor_->step(consensus::wal_flushed{acceptor_->write_lsn(), record_end_});
      if (!flushed) return false;
      carry_out(*flushed, {}, replies);
    }
    moved_.notify_all();
  }
  return send_all(fd, replies);
}

void acceptor_server::carry_out(const consensus::acceptor_effects& effects, core::bytes_view wal,
                                core::bytes& replies) {
  for (const auto& effect : effects) {
    if (const auto* cut = std::get_if<consensus::truncate_wal>(&effect)) {
      if (wal_.empty() && !decoder_) origin_ = cut->to;
      wal_.resize(static_cast<std::size_t>(cut->to - origin_));
      decode_from(cut->to);
    } else if (std::holds_alternative<consensus::write_wal>(effect)) {
      core::append(wal_, wal);
    } else if (const auto* reply = std::get_if<consensus::send_reply>(&effect)) {
      core::bytes body;
      protocol::encode(reply->message, std::nullopt, body);
      wire::append_copy_data_header(replies, body.size());
      core::append(replies, body);
    }
  }
}

void acceptor_server::decode_from(core::lsn start) {
  decoder_ = std::make_unique<pg::wal::stream_decoder>(pg::wal::stream_decoder_options{.start = start});
  record_end_ = start;
}

/// A record that ends its segment is whole when the rest of the segment is there.
void acceptor_server::find_records() {
  const auto at = static_cast<std::size_t>(decoder_->position() - origin_);
  decoder_->feed(core::bytes_view(wal_).subspan(at));
  for (;;) {
    const auto record = decoder_->next();
    if (!record) throw std::runtime_error("an acceptor was sent damaged WAL: " + record.error().detail);
    if (!*record) break;
    if ((*record)->end <= decoder_->position()) record_end_ = (*record)->end;
  }
  if (decoder_->record_end() <= decoder_->position()) record_end_ = std::max(record_end_, decoder_->record_end());
}

void acceptor_server::lend(int fd, core::lsn from, consensus::term in) {
  for (core::lsn at = from;;) {
    core::bytes message;
    {
      std::unique_lock lock(mutex_);
      moved_.wait(lock, [&] {
        return stopped_ || !acceptor_ || acceptor_->state().in != in || (!paused_ && acceptor_->flush_lsn() > at);
      });
      if (stopped_ || !acceptor_ || acceptor_->state().in != in || at < origin_) break;
      const core::lsn end = std::min(acceptor_->flush_lsn(), at + (128u << 10));
      const auto offset = static_cast<std::ptrdiff_t>(at - origin_);
      wire::append_wal_data_header(message, at, acceptor_->flush_lsn(), 0, static_cast<std::size_t>(end - at));
      message.insert(message.end(), wal_.begin() + offset,
                     wal_.begin() + offset + static_cast<std::ptrdiff_t>(end - at));
      lent_ += end - at;
      at = end;
    }
    if (!send_all(fd, message)) break;
  }
  ::shutdown(fd, SHUT_RDWR);
}

}  // namespace strata::tests
