#include "tests/support/pagestream_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "pg/crc32c.hpp"

namespace strata::tests {
namespace {

constexpr std::size_t answer_size_max = (1u << 20) + 1024;

template <class T>
void append_be(core::bytes& to, T value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
    to.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
}

std::uint64_t load_be(const std::uint8_t* from, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | from[i];
  return value;
}

core::bytes body_of(const pg::relation_fork& relation) {
  core::bytes body;
  append_be(body, relation.tablespace);
  append_be(body, relation.database);
  append_be(body, relation.relation);
  body.push_back(static_cast<std::uint8_t>(relation.fork));
  return body;
}

std::string text_in(core::bytes_view bytes) {
  std::string text(bytes.begin(), bytes.end());
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

}  // namespace

core::bytes query_message(const std::string& text) {
  core::bytes message{'Q'};
  append_be(message, static_cast<std::uint32_t>(text.size() + 5));
  message.insert(message.end(), text.begin(), text.end());
  message.push_back(0);
  return message;
}

core::bytes startup_message() {
  core::bytes words;
  for (const char* word : {"user", "test", "database", "test"})
    words.insert(words.end(), word, word + std::strlen(word) + 1);
  words.push_back(0);
  core::bytes message;
  append_be(message, static_cast<std::uint32_t>(words.size() + 8));
  append_be(message, std::uint32_t{196608});
  core::append(message, words);
  return message;
}

raw_connection::raw_connection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const timeval limit{.tv_sec = 60, .tv_usec = 0};
  const int on = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int reason = errno;
    ::close(socket_);
    throw std::system_error(reason, std::generic_category(), "connect to port " + std::to_string(port));
  }
}

raw_connection::~raw_connection() { ::close(socket_); }

void raw_connection::send(core::bytes_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) throw std::system_error(errno, std::generic_category(), "send");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void raw_connection::end_sending() const { ::shutdown(socket_, SHUT_WR); }

bool raw_connection::receive(std::uint8_t* to, std::size_t count) const {
  for (std::size_t done = 0; done < count;) {
    const ssize_t got = ::recv(socket_, to + done, count - done, 0);
    if (got == 0) return false;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "receive");
    done += static_cast<std::size_t>(got);
  }
  return true;
}

core::bytes raw_connection::receive_all() const {
  core::bytes all;
  std::uint8_t buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return all;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "receive");
    all.insert(all.end(), buffer, buffer + got);
  }
}

namespace {

struct message {
  char type = 0;
  core::bytes body;
};

/// Throws pagestream_error for an error.
message receive_message(const raw_connection& connection) {
  std::uint8_t header[5];
  if (!connection.receive(header, sizeof header)) throw std::runtime_error("the page service closed the connection");
  const std::uint64_t size = load_be(header + 1, 4);
  if (size < 4 || size > answer_size_max) throw std::runtime_error("the page service sent a message of a strange size");
  message got{static_cast<char>(header[0]), core::bytes(size - 4)};
  if (!connection.receive(got.body.data(), got.body.size()))
    throw std::runtime_error("the page service closed the connection inside a message");
  if (got.type == 'E') throw pagestream_error(text_in(got.body));
  return got;
}

/// Returns when the server awaits a command.
void log_in(const raw_connection& connection) {
  connection.send(startup_message());
  while (receive_message(connection).type != 'Z') continue;
}

}  // namespace

core::bytes copy_out(std::uint16_t port, const std::string& command) {
  const raw_connection connection(port);
  log_in(connection);
  connection.send(query_message(command));
  if (receive_message(connection).type != 'H') throw std::runtime_error(command + " was not answered with COPY OUT");
  core::bytes all;
  for (;;) {
    const message got = receive_message(connection);
    if (got.type == 'Z') return all;
    if (got.type == 'd') core::append(all, got.body);
  }
}

pagestream_client::pagestream_client(std::uint16_t port, const std::string& tenant, const std::string& timeline,
                                     int version)
    : connection_(port), version_(version) {
  log_in(connection_);
  connection_.send(query_message("pagestream_v" + std::to_string(version) + " " + tenant + " " + timeline));
  if (const message opened = receive_message(connection_); opened.type != 'W')
    throw pagestream_error("open a page stream: " + text_in(opened.body));
}

void pagestream_client::append_request(core::bytes& to, std::uint8_t tag, core::lsn at, core::bytes_view body) {
  core::bytes payload{tag};
  if (version_ >= 3) append_be(payload, ++sent_);
  append_be(payload, at.value);
  append_be(payload, at == core::lsn::max() ? std::uint64_t{0} : at.value);
  core::append(payload, body);
  to.push_back('d');
  append_be(to, static_cast<std::uint32_t>(payload.size() + 4));
  core::append(to, payload);
}

core::bytes pagestream_client::answer(std::uint8_t tag, std::size_t echoed) {
  const message got = receive_message(connection_);
  if (got.type != 'd' || got.body.empty()) throw std::runtime_error("the page service sent no answer");
  constexpr std::size_t ids = 3 * 8;
  std::size_t at = 1;
  if (version_ >= 3) {
    if (got.body.size() < at + ids) throw std::runtime_error("a short answer");
    if (load_be(got.body.data() + at, 8) != ++answered_) throw std::runtime_error("answers came out of order");
    at += ids;
  }
  if (got.body[0] == 103) throw pagestream_error(text_in(core::bytes_view(got.body).subspan(at)));
  if (got.body[0] != tag) throw std::runtime_error("an answer of another kind: " + std::to_string(got.body[0]));
  if (version_ >= 3) at += echoed;
  if (got.body.size() < at) throw std::runtime_error("a short answer");
  return {got.body.begin() + static_cast<std::ptrdiff_t>(at), got.body.end()};
}

core::bytes pagestream_client::ask(std::uint8_t tag, core::lsn at, core::bytes_view body, std::uint8_t answer_tag) {
  core::bytes request;
  append_request(request, tag, at, body);
  connection_.send(request);
  return answer(answer_tag, body.size());
}

bool pagestream_client::exists(const pg::relation_fork& relation, core::lsn at) {
  return ask(0, at, body_of(relation), 100).at(0) != 0;
}

std::uint32_t pagestream_client::size(const pg::relation_fork& relation, core::lsn at) {
  const core::bytes got = ask(1, at, body_of(relation), 101);
  if (got.size() != 4) throw std::runtime_error("a size answer of " + std::to_string(got.size()) + " bytes");
  return static_cast<std::uint32_t>(load_be(got.data(), 4));
}

std::uint64_t pagestream_client::database_size(pg::oid database, core::lsn at) {
  core::bytes body;
  append_be(body, database);
  const core::bytes got = ask(3, at, body, 104);
  if (got.size() != 8) throw std::runtime_error("a size answer of " + std::to_string(got.size()) + " bytes");
  return load_be(got.data(), 8);
}

core::bytes pagestream_client::slru_segment(pg::slru_kind kind, std::uint32_t segment, core::lsn at) {
  core::bytes body{static_cast<std::uint8_t>(kind)};
  append_be(body, segment);
  const core::bytes got = ask(4, at, body, 105);
  if (got.size() < 4 || got.size() != 4 + load_be(got.data(), 4) * pg::page_size)
    throw std::runtime_error("an SLRU answer of " + std::to_string(got.size()) + " bytes");
  return {got.begin() + 4, got.end()};
}

page_bytes pagestream_client::page(const pg::relation_fork& relation, pg::block_number block, core::lsn at) {
  auto got = pages(relation, block, 1, at);
  if (!got[0].page) throw pagestream_error(got[0].error);
  return *got[0].page;
}

std::vector<pagestream_client::page_reply> pagestream_client::pages(const pg::relation_fork& relation,
                                                                    pg::block_number first, std::uint32_t count,
                                                                    core::lsn at) {
  constexpr std::uint32_t in_flight_max = 64;
  std::vector<page_reply> replies;
  while (replies.size() < count) {
    const auto now = std::min<std::uint32_t>(in_flight_max, count - static_cast<std::uint32_t>(replies.size()));
    core::bytes requests;
    std::size_t echoed = 0;
    for (std::uint32_t i = 0; i < now; ++i) {
      core::bytes body = body_of(relation);
      append_be(body, static_cast<std::uint32_t>(first + replies.size() + i));
      echoed = body.size();
      append_request(requests, 2, at, body);
    }
    connection_.send(requests);
    for (std::uint32_t i = 0; i < now; ++i) {
      page_reply reply;
      try {
        const core::bytes got = answer(102, echoed);
        if (got.size() != pg::page_size) throw std::runtime_error("a page of another size");
        reply.page.emplace();
        std::copy(got.begin(), got.end(), reply.page->begin());
      } catch (const pagestream_error& e) {
        reply.error = e.what();
      }
      replies.push_back(std::move(reply));
    }
  }
  return replies;
}

core::bytes pagestream_client::range(const pg::relation_fork& relation, pg::block_number first, std::uint32_t count,
                                     core::lsn at) {
  core::bytes body = body_of(relation);
  append_be(body, first);
  append_be(body, count);
  const core::bytes got = ask(5, at, body, 106);
  if (got.size() != 8 + std::size_t{count} * pg::page_size || load_be(got.data(), 4) != count)
    throw std::runtime_error("a range answer of " + std::to_string(got.size()) + " bytes");
  core::bytes pages(got.begin() + 8, got.end());
  if (load_be(got.data() + 4, 4) != pg::crc32c(pages)) throw std::runtime_error("a range with a wrong checksum");
  return pages;
}

}  // namespace strata::tests
