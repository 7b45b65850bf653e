#include "api/http_connection.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::api {
namespace {

using namespace std::chrono_literals;
using phase = http_connection::phase;

struct connected {
  http_limits limits{.head_size_max = 4096,
                     .body_size_max = 1000,
                     .head_limit = 10s,
                     .body_limit = 30s,
                     .idle_limit = 20s,
                     .write_limit = 60s};
  body_budget bodies{0, 1500};
  core::monotonic_time now = core::monotonic_time(1000s);
  http_connection of{limits, bodies, now};

  /// Lets time go by.
  void after(std::chrono::milliseconds time) {
    now += time;
    of.look_at_clock(now);
  }
  void say(std::string_view bytes) { of.take_in(bytes, now); }
  std::optional<raw_request> request() { return of.take_request(now); }
  /// The client takes all that is there.
  std::string taken() {
    std::string text(of.output());
    of.sent(text.size(), now);
    return text;
  }
  void serve() {
    say("GET /livez HTTP/1.1\r\n\r\n");
    BOOST_TEST_REQUIRE(request());
    of.answer({"answer", false, nullptr}, now);
    BOOST_TEST(taken() == "answer");
  }
};

BOOST_FIXTURE_TEST_SUITE(api_http_connection, connected)

BOOST_AUTO_TEST_CASE(a_request_is_handed_out_once_it_is_whole_and_the_next_one_after_its_answer) {
  say("PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab");
  BOOST_TEST(!request().has_value());
  BOOST_TEST(bodies.used == 3u);
  say("cGET /b HTTP/1.1\r\n\r\n");
  const auto first = request();
  BOOST_TEST_REQUIRE(first);
  BOOST_TEST(first->bytes == "PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
  BOOST_TEST(!request().has_value());
  BOOST_TEST(of.use(now) == core::seat_use::busy);
  of.answer({"one", false, nullptr}, now);
  BOOST_TEST(bodies.used == 0u);
  BOOST_TEST(taken() == "one");
  BOOST_TEST(request()->path == "/b");
}

BOOST_AUTO_TEST_CASE(a_head_that_trickles_is_cut_off_however_often_a_byte_comes) {
  const std::string head = "GET /v1/status HTTP/1.1\r\nX: ";
  for (int i = 0; i < 9; ++i) {
    say(head.substr(static_cast<std::size_t>(i), 1));
    BOOST_TEST(!request().has_value());
    after(1s);
  }
  BOOST_TEST(of.now_in() == phase::reading);
  BOOST_TEST(of.use(now) == core::seat_use::fresh);
  after(1s);
  BOOST_TEST(taken().starts_with("HTTP/1.1 408 "));
  BOOST_TEST(of.now_in() == phase::draining);
  after(2s);
  BOOST_TEST(of.now_in() == phase::closed);
}

BOOST_AUTO_TEST_CASE(a_body_that_trickles_is_cut_off_too_and_gives_its_memory_back) {
  after(9s);
  say("PUT /a HTTP/1.1\r\nContent-Length: 900\r\n\r\n");
  BOOST_TEST(!request().has_value());
  BOOST_TEST(bodies.used == 900u);
  for (int i = 0; i < 29; ++i) {
    say("x");
    BOOST_TEST(!request().has_value());
    after(1s);
  }
  BOOST_TEST(of.now_in() == phase::reading);
  after(1s);
  BOOST_TEST(taken().starts_with("HTTP/1.1 408 "));
  BOOST_TEST(bodies.used == 0u);
}

BOOST_AUTO_TEST_CASE(a_silent_client_is_closed_without_a_word) {
  after(10s);
  BOOST_TEST(of.now_in() == phase::closed);
  BOOST_TEST(of.output().empty());
}

BOOST_AUTO_TEST_CASE(between_two_requests_it_may_be_idle_and_the_next_has_its_whole_time) {
  serve();
  BOOST_TEST(of.use(now) == core::seat_use::idle);
  after(19s);
  say("G");
  after(9s);
  BOOST_TEST(of.now_in() == phase::reading);
  after(1s);
  BOOST_TEST(taken().starts_with("HTTP/1.1 408 "));
}

BOOST_AUTO_TEST_CASE(an_idle_client_is_closed) {
  serve();
  after(20s);
  BOOST_TEST(of.now_in() == phase::closed);
}

BOOST_AUTO_TEST_CASE(work_has_no_deadline) {
  say("PUT /checkpoint HTTP/1.1\r\n\r\n");
  BOOST_TEST_REQUIRE(request());
  after(1h);
  BOOST_TEST(of.now_in() == phase::serving);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_not_taken_is_given_up_and_makes_room_before) {
  say("GET /a HTTP/1.1\r\n\r\n");
  BOOST_TEST_REQUIRE(request());
  of.answer({std::string(163840, 'x'), false, nullptr}, now);
  BOOST_TEST(of.use(now) == core::seat_use::busy);
  after(6s);
  BOOST_TEST(of.use(now) == core::seat_use::idle);
  after(63s);
  BOOST_TEST(of.now_in() == phase::sending);
  after(1s);  // 60 s, and one for each 16 KiB
  BOOST_TEST(of.now_in() == phase::closed);
}

BOOST_AUTO_TEST_CASE(what_is_too_long_is_refused_without_being_kept) {
  say("GET / HTTP/1.1\r\nX: " + std::string(5000, 'x'));
  BOOST_TEST(!request().has_value());
  BOOST_TEST(taken().starts_with("HTTP/1.1 431 "));
}

BOOST_AUTO_TEST_CASE(a_path_that_is_too_long_is_named_as_what_it_is) {
  say("GET /" + std::string(5000, 'x'));
  BOOST_TEST(!request().has_value());
  BOOST_TEST(taken().starts_with("HTTP/1.1 414 "));
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_not_waited_for) {
  say("PUT /a HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  const auto asked = request();
  BOOST_TEST_REQUIRE(asked);
  BOOST_TEST(asked->last);
  BOOST_TEST(of.output().empty());
  of.answer({"413", false, nullptr}, now);
  taken();
  BOOST_TEST(of.now_in() == phase::draining);
}

BOOST_AUTO_TEST_CASE(bodies_of_all_clients_have_one_bound) {
  http_connection other(limits, bodies, now);
  other.take_in("PUT /a HTTP/1.1\r\nContent-Length: 800\r\n\r\n", now);
  BOOST_TEST(!other.take_request(now).has_value());
  say("PUT /a HTTP/1.1\r\nContent-Length: 800\r\n\r\n");
  BOOST_TEST(!request().has_value());
  const std::string refused = taken();
  BOOST_TEST(refused.starts_with("HTTP/1.1 503 "));
  BOOST_TEST(refused.find("Retry-After: 1\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_client_that_asks_whether_it_may_send_the_body_is_told_once) {
  say("PUT /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  BOOST_TEST(!request().has_value());
  BOOST_TEST(taken() == "HTTP/1.1 100 Continue\r\n\r\n");
  BOOST_TEST(of.now_in() == phase::reading);
  say("a");
  BOOST_TEST(!request().has_value());
  BOOST_TEST(of.output().empty());
  say("bc");
  BOOST_TEST(request());
}

BOOST_AUTO_TEST_CASE(a_stream_has_one_part_in_memory_and_ends_with_an_empty_chunk) {
  say("GET /export HTTP/1.1\r\n\r\n");
  BOOST_TEST_REQUIRE(request());
  of.answer({"head", false, [] { return core::result<body_part>(body_part()); }}, now);
  BOOST_TEST(!of.wants_part());
  BOOST_TEST(taken() == "head");
  BOOST_TEST(of.wants_part());
  of.add_part(std::make_shared<const core::bytes>(17, 'z'), now);
  BOOST_TEST(!of.wants_part());
  BOOST_TEST(taken() == "11\r\n" + std::string(17, 'z') + "\r\n");
  BOOST_TEST(of.wants_part());
  of.add_part(body_part(), now);
  BOOST_TEST(taken() == "0\r\n\r\n");
  BOOST_TEST(of.now_in() == phase::reading);
}

BOOST_AUTO_TEST_CASE(a_stream_that_fails_is_broken_off_without_its_last_chunk) {
  say("GET /export HTTP/1.1\r\n\r\n");
  BOOST_TEST_REQUIRE(request());
  of.answer({"head", false, [] { return core::result<body_part>(body_part()); }}, now);
  taken();
  of.add_part(core::error{core::errc::corrupt, "damaged"}, now);
  BOOST_TEST(of.now_in() == phase::closed);
  BOOST_TEST(of.output().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::api
