#include "tests/page_files/page_peer.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <utility>

#include "pg/wire/frames.hpp"

namespace strata::tests {

namespace wire = pg::wire;
using namespace std::chrono_literals;

namespace {
constexpr pg::relation_fork table{pg::default_tablespace, 5, 16384, pg::fork::main};
}

std::uint8_t page_byte(std::uint32_t block, std::size_t offset) {
  return static_cast<std::uint8_t>(block * 37 + offset / 8 + 1);
}

bool page_session::look() {
  flush();
  std::uint8_t buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0) return false;
    if (got < 0) {
      parse();
      return errno == EAGAIN;
    }
    input_.insert(input_.end(), buffer, buffer + got);
  }
}

void page_session::parse() {
  const int reason = errno;
  for (;;) {
    const auto frame = wire::parse_frame(input_, started_);
    BOOST_REQUIRE(frame);
    if (!*frame) break;
    const core::bytes_view body = (*frame)->body;
    switch ((*frame)->kind) {
      case wire::frame_kind::startup: started_ = true; break;
      case wire::frame_kind::query: command_.assign(body.begin(), body.end()); break;
      case wire::frame_kind::copy_data: {
        const auto request = wire::parse_request(body, wire::pagestream_version::v4);
        BOOST_REQUIRE(request);
        requests.push_back(*request);
        ++requests_seen;
        break;
      }
      default: BOOST_FAIL("a message of another kind");
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>((*frame)->size));
  }
  errno = reason;
}

void page_session::greet() {
  core::bytes greeting;
  wire::append_authentication_ok(greeting);
  wire::append_parameter_status(greeting, "server_version", "15.0");
  wire::append_ready_for_query(greeting);
  wire::append_copy_both_response(greeting);
  send(greeting);
}

wire::pagestream_request page_session::take() {
  BOOST_REQUIRE(!requests.empty());
  const auto taken = requests.front();
  requests.erase(requests.begin());
  return taken;
}

void page_session::send(core::bytes_view bytes) {
  core::append(output_, bytes);
  flush();
}

void page_session::flush() {
  while (!output_.empty()) {
    const ssize_t count = ::send(socket_.get(), output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return output_.clear();  // look() finds the end
    output_.erase(output_.begin(), output_.begin() + count);
  }
}

void page_session::refuse(const wire::pagestream_request& request, const core::error& why) {
  core::bytes message;
  wire::append_request_error(message, wire::pagestream_version::v4, request, why);
  send(message);
}

core::bytes page_session::response(const wire::pagestream_request& request) {
  core::bytes message;
  const std::size_t begin = wire::append_pages(message, wire::pagestream_version::v4, request);
  for (std::size_t i = begin; i < message.size(); ++i) {
    const std::size_t offset = i - begin;
    message[i] = page_byte(request.block + static_cast<std::uint32_t>(offset / pg::page_size), offset % pg::page_size);
  }
  wire::store_range_checksum(message, begin, request.count);
  return message;
}

core::bytes page_session::error_message(const std::string& sqlstate, const std::string& text) {
  core::bytes message;
  wire::append_error(message, sqlstate, text);
  return message;
}

page_client_fixture::page_client_fixture() : listener(*io::listen_tcp("127.0.0.1", 0)), port(listener.port) {
  options.tenant = core::make_id<core::tenant_id>();
  options.timeline = core::make_id<core::timeline_id>();
  options.at = core::lsn(0x5000);
  options.clock = &clock;
  options.locate = [this]() -> core::result<core::address> {
    ++located;
    if (port == 0) return core::error{core::errc::unavailable, "no pageserver runs"};
    return core::address{"127.0.0.1", port};
  };
  clock.advance(std::chrono::hours(1));
  client = *page_files::page_client::create(options);
}

std::size_t page_client_fixture::fetch(std::uint32_t first, std::uint32_t count) {
  const std::size_t index = replies.size();
  replies.emplace_back();
  const bool outer = std::exchange(in_fetch, true);
  client->fetch({table, first, count}, [this, index, first, count](core::result<core::bytes_view> pages) {
    BOOST_TEST(!in_fetch);
    BOOST_TEST(!replies[index].has_value());
    reply& got = replies[index].emplace();
    if (!pages) {
      got.failure = pages.error();
      return;
    }
    got.right = pages->size() == count * pg::page_size;
    for (std::size_t i = 0; got.right && i < pages->size(); ++i)
      got.right = (*pages)[i] == page_byte(first + static_cast<std::uint32_t>(i / pg::page_size), i % pg::page_size);
  });
  in_fetch = outer;
  return index;
}

std::size_t page_client_fixture::answered() const {
  return static_cast<std::size_t>(
      std::count_if(replies.begin(), replies.end(), [](const auto& each) { return each.has_value(); }));
}

std::optional<core::errc> page_client_fixture::failure(std::size_t index) const {
  if (!replies[index] || !replies[index]->failure) return std::nullopt;
  return replies[index]->failure->code;
}

bool page_client_fixture::all_right() const {
  return std::all_of(replies.begin(), replies.end(), [](const auto& each) { return each && each->right; });
}

void page_client_fixture::turn() {
  pollfd ready{client->poll_fd(), POLLIN, 0};
  if (::poll(&ready, 1, 1) > 0) client->on_ready();
  std::erase_if(sessions, [](const auto& each) { return !each->look(); });
}

void page_client_fixture::until(const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (!holds()) {
    BOOST_REQUIRE(std::chrono::steady_clock::now() < give_up);
    turn();
  }
}

void page_client_fixture::settle() {
  for (int i = 0; i < 10; ++i) turn();
}

void page_client_fixture::advance(std::chrono::milliseconds by) {
  const auto end = clock.monotonic() + by;
  for (int i = 0;; ++i) {
    const auto next = client->next_deadline();
    if (!next || *next > end) break;
    BOOST_REQUIRE(i < 10'000);
    if (*next > clock.monotonic())
      clock.advance(std::chrono::ceil<std::chrono::microseconds>(*next - clock.monotonic()));
    client->on_time(clock.monotonic());
    turn();
  }
  clock.advance(std::chrono::ceil<std::chrono::microseconds>(end - clock.monotonic()));
  client->on_time(clock.monotonic());
  turn();
}

std::shared_ptr<page_session> page_client_fixture::next_session(std::size_t requests, bool greet) {
  std::shared_ptr<page_session> session;
  until([&] {
    auto client_socket = *io::accept_client(listener.fd);
    if (client_socket) session = std::make_shared<page_session>(std::move(client_socket));
    return session != nullptr;
  });
  sessions.push_back(session);
  until([&] { return !session->command().empty() && session->requests_seen >= requests; });
  if (greet) {
    session->greet();
    settle();
  }
  return session;
}

void page_client_fixture::end(std::shared_ptr<page_session>& session) {
  std::erase(sessions, session);
  session.reset();
}

}  // namespace strata::tests
