#include "actors/net/server_session.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/sockets.hpp"
#include "pg/wire/client_frames.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/socket_listener.hpp"

namespace strata::actors::net {
namespace {

namespace wire = pg::wire;
using wire::frame_kind;
using step = server_session::step;

constexpr std::uint32_t protocol_3 = 3u << 16;
constexpr std::uint32_t ssl_code = 80877103;
constexpr std::uint32_t gss_code = 80877104;
constexpr std::uint32_t cancel_code = 80877102;

core::bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

/// A packet without a tag that has this length in its header.
core::bytes packet(std::uint32_t code, core::bytes_view body = {}, std::optional<std::uint32_t> length = {}) {
  core::bytes made;
  core::append_be(made, length.value_or(static_cast<std::uint32_t>(8 + body.size())));
  core::append_be(made, code);
  core::append(made, body);
  return made;
}
core::bytes startup() {
  core::bytes made;
  wire::append_startup(made, {{"user", "strata"}, {"database", "shop"}});
  return made;
}
core::bytes tagged(char tag, core::bytes_view body, std::optional<std::uint32_t> length = {}) {
  core::bytes made{static_cast<std::uint8_t>(tag)};
  core::append_be(made, length.value_or(static_cast<std::uint32_t>(4 + body.size())));
  core::append(made, body);
  return made;
}
core::bytes query(const std::string& text) {
  core::bytes made;
  wire::append_query(made, text);
  return made;
}
core::bytes operator+(core::bytes left, const core::bytes& right) {
  core::append(left, right);
  return left;
}

struct seen_frame {
  frame_kind kind{};
  std::string body;
};

/// A client and the actor that owns its session: frames are consumed as the services do it.
struct with_session : tests::listening_system {
  with_session() : listening_system([this](const runtime::socket_ready& event) { on(event); }) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    client = io::unique_fd(ends[1]);
    open(io::unique_fd(ends[0]));
  }
  void open(io::unique_fd socket) {
    session.emplace(env().sockets(), std::move(socket));
    BOOST_TEST_REQUIRE(session->watch(listener));
    go_on();
  }

  // -- the owner
  void on(const runtime::socket_ready& event) {
    last_event = event;
    if (session && session->fired(event) && handles_events) go_on();
  }
  void go_on() {
    latest = advance();
    if (latest == step::ended) session.reset();
  }
  step advance() {
    for (;;) {
      if (const auto sent = session->send(); sent != step::go_on) return sent;
      if (const auto frame = session->next_frame()) {
        frames.push_back({frame->kind, {frame->body.begin(), frame->body.end()}});
        session->consume(*frame);
        if (welcomes && !session->started()) session->welcome("15.0 (Strata)", {{"role", "test"}});
        continue;
      }
      if (session->output_pending() || session->closing()) continue;
      if (const auto received = session->receive(); received != step::go_on) return received;
    }
  }
  [[nodiscard]] bool ended() const { return latest == step::ended; }

  // -- the client
  void say(core::bytes_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) return;
      look();
    }
  }
  /// All that has arrived; `closed` when nothing more will come.
  core::bytes hear() {
    core::bytes all;
    core::bytes piece(64u << 10);
    for (;;) {
      const auto got = ::recv(client.get(), piece.data(), piece.size(), 0);
      if (got <= 0) {
        closed = got == 0 || errno != EAGAIN;
        return all;
      }
      all.insert(all.end(), piece.begin(), piece.begin() + got);
    }
  }
  /// What is said to a client before its connection is closed; empty if the last word is no fatal error.
  wire::backend_complaint fatal() {
    BOOST_TEST(ended());
    const core::bytes said = hear();
    BOOST_TEST(closed);
    const auto frame = wire::parse_backend_frame(said, 10'000);
    BOOST_TEST_REQUIRE(frame);
    if (!*frame || (*frame)->tag != 'E' || (*frame)->size != said.size()) return {};
    const std::string body((*frame)->body.begin(), (*frame)->body.end());
    BOOST_TEST(body.starts_with(std::string("SFATAL\0VFATAL\0", 14)));
    return wire::parse_complaint((*frame)->body);
  }
  void expect_refusal(const std::string& reason) {
    const auto complaint = fatal();
    BOOST_TEST(complaint.sqlstate == "08P01");
    BOOST_TEST(complaint.message.find(reason) != std::string::npos, complaint.message << ", expected: " << reason);
  }
  void start() {
    say(startup());
    BOOST_REQUIRE(session->started());
    hear();
    frames.clear();
  }

  io::unique_fd client;
  std::optional<server_session> session;
  bool welcomes = true;
  bool handles_events = true;
  std::vector<seen_frame> frames;
  step latest = step::go_on;
  runtime::socket_ready last_event;
  bool closed = false;
};

struct with_refusals : with_session {
  /// A new session for each of several clients.
  void reconnect() {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    session.reset();
    client = io::unique_fd(ends[1]);
    closed = false;
    frames.clear();
    open(io::unique_fd(ends[0]));
  }
};

BOOST_FIXTURE_TEST_SUITE(actors_net_server_session, with_session)

// -- start-up

BOOST_AUTO_TEST_CASE(a_startup_packet_is_answered_when_its_last_byte_has_come) {
  const core::bytes all = startup();
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST(frames.empty());
    BOOST_TEST(!session->started());
    BOOST_TEST(hear().empty());
    say(core::bytes_view(all).subspan(i, 1));
    BOOST_REQUIRE(latest == step::wait);
  }
  BOOST_REQUIRE(frames.size() == 1u);
  BOOST_TEST((frames[0].kind == frame_kind::startup));
  const auto parameters = wire::parse_startup_parameters(bytes_of(frames[0].body));
  BOOST_TEST_REQUIRE(parameters);
  BOOST_TEST(parameters->front().second == "strata");
  BOOST_TEST(session->started());
  BOOST_TEST(!session->closing());
}

BOOST_AUTO_TEST_CASE(a_welcome_has_what_clients_wait_for_in_its_order) {
  say(startup());
  std::string tags;
  std::vector<std::pair<std::string, std::string>> told;
  const core::bytes said = hear();
  for (core::bytes_view rest = said; !rest.empty();) {
    const auto frame = wire::parse_backend_frame(rest, 1000);
    BOOST_TEST_REQUIRE((frame && *frame));
    tags += (*frame)->tag;
    if ((*frame)->tag == 'S') told.push_back(wire::parse_parameter_status((*frame)->body).value());
    rest = rest.subspan((*frame)->size);
  }
  BOOST_TEST(tags == "RSSSSSZ");
  BOOST_REQUIRE(told.size() == 5u);
  BOOST_TEST((told.front() == std::pair<std::string, std::string>("server_version", "15.0 (Strata)")));
  BOOST_TEST((told.back() == std::pair<std::string, std::string>("role", "test")));
  BOOST_TEST(session->bytes_sent() == said.size());
}

BOOST_AUTO_TEST_CASE(encryption_is_declined_with_one_byte_and_the_startup_follows) {
  say(packet(gss_code));
  BOOST_TEST((hear() == bytes_of("N")));
  say(packet(ssl_code));
  BOOST_TEST((hear() == bytes_of("N")));
  BOOST_TEST(frames.empty());
  BOOST_TEST(!session->started());
  say(startup());
  BOOST_TEST(session->started());
  BOOST_TEST(hear().front() == 'R');
}

BOOST_AUTO_TEST_CASE(an_encryption_request_in_pieces_is_declined_once) {
  for (const auto byte : packet(ssl_code)) {
    BOOST_TEST(hear().empty());
    say({&byte, 1});
  }
  BOOST_TEST((hear() == bytes_of("N")));
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_wait_for_the_answers_gets_them_in_order) {
  say(packet(ssl_code) + packet(gss_code) + startup() + query("one"));
  const core::bytes said = hear();
  BOOST_REQUIRE(said.size() > 3u);
  BOOST_TEST(std::string(said.begin(), said.begin() + 3) == "NNR");
  BOOST_REQUIRE(frames.size() == 2u);
  BOOST_TEST(frames[1].body == "one");
}

BOOST_AUTO_TEST_CASE(a_client_that_asks_for_encryption_for_ever_is_answered_only_as_fast_as_it_reads) {
  core::bytes many;
  for (int i = 0; i < 100'000; ++i) core::append(many, packet(ssl_code));
  std::size_t sent = 0;
  std::size_t answers = 0;
  // It does not read before its own socket is full: the session has stopped reading.
  for (int idle = 0; idle < 3;) {
    const auto next = core::bytes_view(many).subspan(sent % many.size());
    const auto put = ::send(client.get(), next.data(), next.size(), MSG_NOSIGNAL);
    if (put > 0) sent += static_cast<std::size_t>(put);
    idle = put > 0 ? 0 : idle + 1;
    look();
    BOOST_REQUIRE(!ended());
    BOOST_TEST_REQUIRE(sent < (64u << 20), "the session answers without bound");
  }
  for (std::size_t before = 1; before != answers;) {
    before = answers;
    answers += hear().size();
    look();
  }
  BOOST_TEST(answers == sent / 8);
  BOOST_TEST(!session->started());
}

BOOST_AUTO_TEST_CASE(a_cancel_request_closes_without_an_answer) {
  core::bytes key;
  core::append_be<std::uint64_t>(key, 4711);
  say(packet(cancel_code, key));
  BOOST_TEST(ended());
  BOOST_TEST(hear().empty());
  BOOST_TEST(closed);
  BOOST_TEST(frames.empty());
}

BOOST_AUTO_TEST_CASE(what_follows_a_cancel_request_is_not_read) {
  core::bytes key;
  core::append_be<std::uint64_t>(key, 4711);
  say(packet(cancel_code, key) + startup());
  BOOST_TEST(ended());
  BOOST_TEST(frames.empty());
}

BOOST_FIXTURE_TEST_CASE(another_protocol_version_is_refused_with_its_number, with_refusals) {
  const std::vector<std::pair<std::uint32_t, std::string>> cases{{2u << 16, "2.0"},
                                                                 {4u << 16, "4.0"},
                                                                 {0, "0.0"},
                                                                 {(1234u << 16) + 5681, "1234.5681"},
                                                                 {0xFFFFFFFF, "65535.65535"}};
  for (const auto& [version, text] : cases) {
    reconnect();
    say(packet(version, bytes_of(std::string("user\0a\0\0", 8))));
    expect_refusal("protocol version " + text);
  }
}

BOOST_AUTO_TEST_CASE(a_later_minor_version_is_accepted) {
  say(packet(protocol_3 + 2, bytes_of(std::string("user\0a\0\0", 8))));
  BOOST_TEST(session->started());
}

BOOST_FIXTURE_TEST_CASE(a_startup_packet_that_is_too_long_or_too_short_is_refused_by_its_header, with_refusals) {
  for (const std::uint32_t length : {std::uint32_t{wire::startup_size_max} + 1, 1u << 30, 0xFFFFFFFFu, 0u, 4u, 7u}) {
    reconnect();
    say(packet(protocol_3, {}, length));
    expect_refusal("a start-up packet of " + std::to_string(length) + " bytes");
  }
}

BOOST_AUTO_TEST_CASE(the_longest_startup_packet_is_accepted) {
  std::string body = std::string("options\0", 8) + std::string(wire::startup_size_max - 8 - 10, 'x');
  body += std::string("\0\0", 2);
  const core::bytes all = packet(protocol_3, bytes_of(body));
  BOOST_REQUIRE(all.size() == wire::startup_size_max);
  say(core::bytes_view(all).first(9'999));
  BOOST_TEST(frames.empty());
  say(core::bytes_view(all).last(1));
  BOOST_REQUIRE(frames.size() == 1u);
  BOOST_TEST(frames[0].body == body);
}

BOOST_FIXTURE_TEST_CASE(other_protocols_are_refused, with_refusals) {
  const std::string tls_hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (const std::string& said :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("SSH-2.0-OpenSSH_9.2\r\n"), tls_hello, std::string(8, '\0'),
        std::string(100, '\xFF'), std::string("\0\0\0\x08quit", 8)}) {
    reconnect();
    say(bytes_of(said));
    expect_refusal("not the Postgres protocol");
    BOOST_TEST(frames.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_says_less_than_a_header_is_waited_for) {
  say(bytes_of(std::string("\0\0\0\x04", 4)));
  BOOST_TEST((latest == step::wait));
  BOOST_TEST(hear().empty());
  BOOST_TEST(!closed);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_goes_before_its_startup_is_complete_ends_the_session, with_refusals) {
  for (const std::size_t said : {0u, 1u, 7u, 8u, 20u}) {
    reconnect();
    say(core::bytes_view(startup()).first(said));
    BOOST_TEST(!ended());
    client.reset();
    look();
    BOOST_TEST(ended());
    BOOST_TEST(frames.empty());
  }
}

BOOST_AUTO_TEST_CASE(an_owner_may_refuse_a_startup_with_an_error_of_its_own) {
  welcomes = false;
  say(startup());
  BOOST_TEST(!session->started());
  session->end({core::errc::not_found, "there is no branch \"shop\""});
  BOOST_TEST(session->closing());
  go_on();
  const auto complaint = fatal();
  BOOST_TEST(complaint.sqlstate == "42704");
  BOOST_TEST(complaint.message == "there is no branch \"shop\"");
}

// -- after it

BOOST_AUTO_TEST_CASE(frames_come_one_by_one_in_order_however_they_are_cut) {
  start();
  core::bytes many;
  for (int i = 0; i < 200; ++i) core::append(many, query(std::to_string(i)));
  for (core::bytes_view rest = many; !rest.empty();) {
    const std::size_t size = std::min<std::size_t>(rest.size(), 7);
    say(rest.first(size));
    rest = rest.subspan(size);
  }
  BOOST_REQUIRE(frames.size() == 200u);
  for (std::size_t i = 0; i < frames.size(); ++i) BOOST_TEST(frames[i].body == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(the_longest_frame_is_read_and_a_longer_one_is_refused_by_its_header) {
  start();
  const std::string text(wire::frame_size_max - 5, 'x');
  say(query(text) + query("next"));
  BOOST_REQUIRE(frames.size() == 2u);
  BOOST_TEST(frames[0].body.size() == text.size());
  BOOST_TEST(frames[1].body == "next");
  say(tagged('d', {}, wire::frame_size_max + 1));
  expect_refusal("a message of 65537 bytes");
}

BOOST_FIXTURE_TEST_CASE(garbage_after_the_startup_is_refused_and_frames_before_it_are_handled, with_refusals) {
  const std::vector<std::pair<core::bytes, std::string>> cases{
      {tagged('?', bytes_of("x")), "a message of type 63"},
      {tagged('Q', {}, 3), "a message of 3 bytes"},
      {tagged('Q', {}, 0xFFFFFFFF), "a message of 4294967295 bytes"},
      {tagged('Q', bytes_of("without its NUL")), "a query without its end"},
      {startup(), "a message of type 0"}};
  for (const auto& [said, reason] : cases) {
    reconnect();
    start();
    say(query("before") + said + query("after"));
    BOOST_REQUIRE(frames.size() == 1u);
    BOOST_TEST(frames[0].body == "before");
    expect_refusal(reason);
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_in_the_middle_of_a_frame_has_its_whole_frames_handled) {
  start();
  const core::bytes half = query("half");
  say(query("whole") + core::bytes(half.begin(), half.begin() + 6));
  client.reset();
  look();
  BOOST_TEST(ended());
  BOOST_REQUIRE(frames.size() == 1u);
  BOOST_TEST(frames[0].body == "whole");
}

BOOST_AUTO_TEST_CASE(a_client_that_says_goodbye_and_goes_at_once_has_its_frames_handled) {
  const core::bytes all = startup() + query("one") + tagged('X', {});
  BOOST_REQUIRE(::send(client.get(), all.data(), all.size(), 0) == static_cast<ssize_t>(all.size()));
  ::shutdown(client.get(), SHUT_WR);
  look();
  look();  // the end is another event
  BOOST_TEST(ended());
  BOOST_REQUIRE(frames.size() == 3u);
  BOOST_TEST((frames[2].kind == frame_kind::terminate));
  BOOST_TEST(!hear().empty());
}

// -- output

core::bytes large_output() {
  core::bytes made(8u << 20);
  for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<std::uint8_t>(i * 31 + i / 4096);
  return made;
}

BOOST_AUTO_TEST_CASE(output_that_the_client_does_not_take_at_once_is_sent_as_it_reads) {
  start();
  const core::bytes expected = large_output();
  core::append(session->output(), expected);
  go_on();
  BOOST_TEST((latest == step::wait));
  BOOST_TEST(session->output_pending());
  core::bytes all;
  for (std::size_t before = 1; before != all.size();) {
    before = all.size();
    core::append(all, hear());
    look();
  }
  BOOST_TEST((all == expected));
  BOOST_TEST(!session->output_pending());
  say(query("next"));
  BOOST_TEST(frames.size() == 1u);
}

BOOST_AUTO_TEST_CASE(input_waits_while_output_is_pending) {
  start();
  core::append(session->output(), large_output());
  go_on();
  BOOST_REQUIRE(session->output_pending());
  say(query("next"));
  BOOST_TEST(frames.empty());
  for (int i = 0; i < 1000 && frames.empty(); ++i) {
    hear();
    look();
  }
  BOOST_TEST(frames.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_closing_session_ends_when_all_its_output_was_taken) {
  start();
  const core::bytes expected = large_output();
  core::append(session->output(), expected);
  session->close();
  go_on();
  core::bytes all;
  while (!ended()) {
    BOOST_REQUIRE(session->output_pending());
    const auto piece = hear();
    BOOST_REQUIRE(!piece.empty());
    core::append(all, piece);
    look();
  }
  core::append(all, hear());
  BOOST_TEST((all == expected));
  BOOST_TEST(closed);
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_while_output_is_pending_ends_the_session) {
  start();
  core::append(session->output(), large_output());
  go_on();
  BOOST_REQUIRE((latest == step::wait));
  client.reset();
  look();
  BOOST_TEST(ended());
}

BOOST_AUTO_TEST_CASE(a_closing_session_handles_no_frame_that_it_has_already) {
  handles_events = false;
  say(startup() + query("one"));
  BOOST_TEST((session->receive() == step::go_on));
  const auto frame = session->next_frame();
  BOOST_REQUIRE(frame.has_value());
  session->consume(*frame);
  session->welcome("15.0");
  session->close();
  BOOST_TEST(!session->next_frame());
}

// -- handing over

BOOST_AUTO_TEST_CASE(a_socket_is_handed_over_and_back_with_its_input_and_output) {
  start();
  // A query that has arrived, and of which nobody has asked yet.
  const core::bytes said = query("kept");
  BOOST_REQUIRE(::send(client.get(), said.data(), said.size(), 0) == static_cast<ssize_t>(said.size()));
  post_events();
  BOOST_TEST((session->receive() == step::wait));  // nothing was known of it
  core::append(session->output(), bytes_of("unsent"));

  auto socket = session->hand_over();
  run();  // the event of the old watch
  BOOST_TEST(frames.empty());
  BOOST_TEST(socket->output_pending());
  BOOST_TEST_REQUIRE(socket->watch(listener));
  BOOST_TEST((socket->receive() == client_socket::outcome::something));
  BOOST_TEST((core::bytes(socket->input().begin(), socket->input().end()) == said));
  socket->let_go();

  session->take_back(std::move(socket));
  BOOST_TEST_REQUIRE(session->watch(listener));
  go_on();
  BOOST_REQUIRE(frames.size() == 1u);
  BOOST_TEST(frames[0].body == "kept");
  BOOST_TEST((hear() == bytes_of("unsent")));
  say(query("later"));
  BOOST_TEST(frames.size() == 2u);
}

BOOST_AUTO_TEST_CASE(without_its_socket_a_session_takes_no_event) {
  start();
  say(query("one"));
  const auto socket = session->hand_over();
  BOOST_TEST(!session->fired(last_event));
}

BOOST_AUTO_TEST_CASE(an_event_of_an_earlier_watch_is_not_taken) {
  start();
  say(query("one"));
  const auto old = last_event;
  BOOST_TEST_REQUIRE(session->watch(listener));
  BOOST_TEST(!session->fired(old));
}

// -- over TCP

BOOST_AUTO_TEST_CASE(a_refusal_reaches_a_tcp_client_that_has_said_more_than_was_read) {
  auto service = io::listen_tcp("127.0.0.1", 0);
  BOOST_TEST_REQUIRE(service);
  auto connecting = io::begin_connect("127.0.0.1", service->port);
  BOOST_TEST_REQUIRE(connecting);
  constexpr int limit_ms = 20'000;
  const auto wait_for = [](const io::unique_fd& fd, short events) {
    pollfd one{.fd = fd.get(), .events = events, .revents = 0};
    return ::poll(&one, 1, limit_ms) == 1;
  };
  BOOST_REQUIRE(wait_for(service->fd, POLLIN));
  auto accepted = io::accept_client(service->fd);
  BOOST_TEST_REQUIRE(accepted);
  session.reset();
  client = *std::move(connecting);
  BOOST_REQUIRE(wait_for(client, POLLOUT));
  const core::bytes garbage(100'000, 0xFF);
  BOOST_REQUIRE(::send(client.get(), garbage.data(), garbage.size(), 0) > 0);
  BOOST_REQUIRE(wait_for(*accepted, POLLIN));
  open(*std::move(accepted));
  BOOST_TEST(ended());
  BOOST_REQUIRE(wait_for(client, POLLIN));
  expect_refusal("not the Postgres protocol");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::net
