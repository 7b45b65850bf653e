#include "page_files/page_client.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <boost/test/unit_test.hpp>

#include "tests/page_files/page_peer.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using core::errc;

namespace {

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Damage to a response, by its name.
struct damage {
  const char* name;
  void (*to)(core::bytes&);
};
constexpr damage damages[] = {
    {"a page", [](core::bytes& of) { of[page_session::pages_offset + 9000] ^= 4; }},
    {"the checksum", [](core::bytes& of) { of[page_session::checksum_offset] ^= 1; }},
    {"the count", [](core::bytes& of) { of[page_session::count_offset + 3] -= 1; }},
    {"the id", [](core::bytes& of) { of[page_session::id_offset + 7] += 1; }},
    {"the block", [](core::bytes& of) { of[page_session::count_offset - 5] ^= 1; }},
    {"the type of the response", [](core::bytes& of) { of[5] = 102; }},
    {"the type of the message", [](core::bytes& of) { of[0] = 'x'; }},
    {"another message", [](core::bytes& of) { of[0] = 'T'; }},
    {"the length", [](core::bytes& of) { of[1] = 0x7F; }},
    {"a page too few",
     [](core::bytes& of) {
       of.resize(of.size() - pg::page_size);
       core::store_be(of.data() + 1, static_cast<std::uint32_t>(of.size() - 1));
     }},
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(page_files_page_client, page_client_fixture)

BOOST_AUTO_TEST_CASE(a_range_is_requested_at_the_lsn_and_arrives) {
  fetch(7, 3);
  const auto session = next_session();
  BOOST_TEST(session->command() == "pagestream_v4 " + to_string(options.tenant) + " " + to_string(options.timeline));
  const auto request = session->take();
  BOOST_TEST((request.kind == pg::wire::request_kind::range));
  BOOST_TEST((request.request_lsn == options.at));
  BOOST_TEST((request.not_modified_since == options.at));
  BOOST_TEST(request.block == 7u);
  BOOST_TEST(request.count == 3u);
  session->answer(request);
  until([&] { return is_right(0); });
  BOOST_TEST(!client->state());
  BOOST_TEST(!client->next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(nothing_is_connected_before_pages_are_wanted) {
  settle();
  BOOST_TEST(located == 0);
  fetch(0, 1);
  BOOST_TEST(located == 1);
}

BOOST_AUTO_TEST_CASE(answers_may_come_byte_by_byte) {
  fetch(0, 2);
  fetch(2, 1);
  const auto session = next_session(2, false);
  core::bytes all;
  for (const char* frame : {"R\0\0\0\x08\0\0\0\0", "Z\0\0\0\x05I"})
    all.insert(all.end(), frame, frame + (frame[0] == 'R' ? 9 : 6));
  const core::bytes copy_both{'W', 0, 0, 0, 7, 0, 0, 0};
  core::append(all, copy_both);
  const std::size_t greeting = all.size();
  for (int i = 0; i < 2; ++i) core::append(all, page_session::response(session->take()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    session->send(core::bytes_view(all).subspan(i, 1));
    // Heads one by one; of the pages a piece for a turn.
    if (i < greeting + 100 || i % 61 == 0) turn();
  }
  until([&] { return all_right(); });
}

BOOST_AUTO_TEST_CASE(many_answers_may_come_at_once) {
  for (std::uint32_t i = 0; i < 40; ++i) fetch(i * 8, 1 + i % 8);
  const auto session = next_session(40);
  core::bytes all;
  while (!session->requests.empty()) core::append(all, page_session::response(session->take()));
  session->send(all);
  until([&] { return all_right(); });
}

BOOST_AUTO_TEST_CASE(a_damaged_answer_is_asked_for_again_over_a_new_connection) {
  for (const damage& each : damages) {
    BOOST_TEST_CONTEXT(each.name) {
      restart_client();
      replies.clear();
      fetch(0, 2);
      fetch(2, 2);
      fetch(4, 2);
      auto session = next_session(3);
      session->answer(session->take());
      core::bytes damaged = page_session::response(session->take());
      each.to(damaged);
      session->send(damaged);
      until([&] { return sessions.empty(); });  // the client has closed it
      BOOST_TEST(answered() == 1u);
      BOOST_TEST_REQUIRE(client->state().has_value());
      advance(20ms);
      session = next_session(2);
      BOOST_TEST(session->requests[0].block == 2u);
      BOOST_TEST(session->requests[1].block == 4u);
      for (int i = 0; i < 2; ++i) session->answer(session->take());
      until([&] { return all_right(); });
      end(session);
      settle();
    }
  }
}

BOOST_AUTO_TEST_CASE(a_second_damaged_answer_is_an_error_of_that_range_alone) {
  for (const damage& each : damages) {
    BOOST_TEST_CONTEXT(each.name) {
      restart_client();
      replies.clear();
      fetch(0, 2);
      fetch(2, 2);
      for (int attempt = 0; attempt < 2; ++attempt) {
        const auto session = next_session(2);
        core::bytes damaged = page_session::response(session->take());
        each.to(damaged);
        session->send(damaged);
        until([&] { return sessions.empty(); });
        advance(40ms);
      }
      BOOST_TEST((failure(0) == errc::corrupt));
      BOOST_TEST_REQUIRE(replies[0].has_value());
      BOOST_TEST(says(replies[0]->failure->detail, "read 2 blocks from 0 of"), replies[0]->failure->detail);
      auto session = next_session(1);
      BOOST_TEST(session->requests.size() == 1u);
      session->answer(session->take());
      until([&] { return is_right(1); });
      end(session);
      settle();
    }
  }
}

BOOST_AUTO_TEST_CASE(an_answer_without_a_request_ends_the_connection) {
  fetch(0, 1);
  auto session = next_session();
  const auto request = session->take();
  session->answer(request);
  session->answer(request);
  until([&] { return sessions.empty(); });
  BOOST_TEST(is_right(0));
  fetch(1, 1);
  session = next_session();
  session->answer(session->take());
  until([&] { return all_right(); });
}

BOOST_AUTO_TEST_CASE(connections_that_end_are_replaced_as_often_as_needed) {
  for (std::uint32_t i = 0; i < 3; ++i) fetch(i * 10, 2);
  // In the start-up, at its end, in the middle of an answer, after one.
  for (const std::size_t part : {0u, 1u, 10'000u, 16'000u, 2u, 10'000u}) {
    auto session = next_session(3, part > 0);
    core::bytes answer = page_session::response(session->take());
    answer.resize(part);
    session->send(answer);
    settle();
    end(session);
    settle();
    BOOST_TEST(answered() == 0u);
    advance(1000ms);
  }
  auto session = next_session(3);
  session->answer(session->take());
  until([&] { return is_right(0); });
  end(session);
  settle();
  advance(20ms);  // the first wait again: there was an answer
  session = next_session(2);
  BOOST_TEST(session->requests_seen == 2u);
  for (int i = 0; i < 2; ++i) session->answer(session->take());
  until([&] { return all_right(); });
}

BOOST_AUTO_TEST_CASE(a_quiet_connection_that_the_server_closes_is_opened_again_only_for_pages) {
  fetch(0, 1);
  auto session = next_session();
  session->answer(session->take());
  until([&] { return is_right(0); });
  end(session);
  settle();
  BOOST_TEST(!client->next_deadline().has_value());
  BOOST_TEST(!client->state());
  BOOST_TEST(located == 1);
  fetch(1, 1);
  BOOST_TEST(located == 2);
  session = next_session();
  session->answer(session->take());
  until([&] { return is_right(1); });
}

BOOST_AUTO_TEST_CASE(ranges_without_an_answer_time_out_once_and_their_late_answers_are_skipped) {
  const auto served = fetch(9, 1);
  const auto first = fetch(0, 1);
  const auto session = next_session(2);
  advance(30s);
  const auto second = fetch(1, 1);
  session->answer(session->take());
  until([&] { return is_right(served) && session->requests_seen == 3; });
  const auto late = session->take();
  advance(29'999ms);
  BOOST_TEST(answered() == 1u);
  advance(1ms);
  BOOST_TEST((failure(first) == errc::timeout));
  BOOST_TEST(says(replies[first]->failure->detail, "within 60 s"), replies[first]->failure->detail);
  BOOST_TEST(!replies[second].has_value());
  BOOST_TEST_REQUIRE(client->state().has_value());
  BOOST_TEST(says(client->state()->text, "has not answered"), client->state()->text);
  session->answer(late);
  session->answer(session->take());
  until([&] { return is_right(second); });
  BOOST_TEST(sessions.size() == 1u);
  BOOST_TEST(!client->state());
}

BOOST_AUTO_TEST_CASE(a_connection_that_never_answers_is_replaced) {
  for (std::uint32_t i = 0; i < 100; ++i) fetch(i, 1);
  auto session = next_session(64);
  advance(59s);
  BOOST_TEST(answered() == 0u);
  const auto later = fetch(200, 1);
  advance(1s);
  BOOST_TEST(answered() == 100u);
  for (std::size_t i = 0; i < 100; ++i) BOOST_TEST((failure(i) == errc::timeout));
  settle();
  BOOST_TEST(sessions.empty());
  advance(20ms);
  session = next_session();
  BOOST_TEST(session->requests_seen == 1u);
  session->answer(session->take());
  until([&] { return is_right(later); });
}

BOOST_AUTO_TEST_CASE(a_connection_whose_ranges_were_all_given_up_is_closed_in_the_end) {
  fetch(9, 1);
  fetch(0, 1);
  const auto session = next_session(2);
  advance(30s);
  session->answer(session->take());
  until([&] { return is_right(0); });
  advance(30s);
  BOOST_TEST((failure(1) == errc::timeout));
  BOOST_TEST(!client->state());
  BOOST_TEST(sessions.size() == 1u);
  BOOST_TEST_REQUIRE(client->next_deadline().has_value());
  BOOST_TEST((*client->next_deadline() - clock.monotonic() == 30s));
  advance(30s);
  settle();
  BOOST_TEST(sessions.empty());
  BOOST_TEST(!client->next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(the_limit_of_an_answer_is_configurable) {
  options.answer_limit = 1500ms;
  restart_client();
  fetch(0, 1);
  const auto session = next_session();
  advance(1499ms);
  BOOST_TEST(answered() == 0u);
  advance(1ms);
  BOOST_TEST((failure(0) == errc::timeout));
  BOOST_TEST(says(replies[0]->failure->detail, "within 1500 ms"), replies[0]->failure->detail);
}

BOOST_AUTO_TEST_CASE(a_service_that_comes_back_on_another_port_is_found) {
  listener = {};
  fetch(0, 1);
  const auto began = clock.monotonic();
  until([&] { return client->state() && says(client->state()->text, "refused"); });
  BOOST_TEST(says(client->state()->text, "waiting for the page service at 127.0.0.1:" + std::to_string(port)),
             client->state()->text);
  // The waits grow from 20 ms to 1 s.
  for (const auto wait : {20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1000ms, 1000ms}) {
    BOOST_TEST_REQUIRE(client->next_deadline().has_value());
    BOOST_TEST((*client->next_deadline() - clock.monotonic() == wait));
    const int before = located;
    clock.advance(wait);
    client->on_time(clock.monotonic());
    BOOST_TEST(located == before + 1);
    until([&] { return *client->next_deadline() - clock.monotonic() <= 1000ms; });
  }
  BOOST_TEST((client->state()->since == began));
  port = 0;
  advance(1000ms);
  BOOST_TEST(says(client->state()->text, "no pageserver runs"), client->state()->text);
  listener = *io::listen_tcp("127.0.0.1", 0);
  port = listener.port;
  advance(1000ms);
  const auto session = next_session();
  session->answer(session->take());
  until([&] { return is_right(0); });
  BOOST_TEST(!client->state());
}

BOOST_AUTO_TEST_CASE(a_service_that_stays_away_is_a_timeout_with_the_reason) {
  port = 0;
  fetch(0, 1);
  advance(30s);
  fetch(0, 100);
  advance(30s);
  BOOST_TEST((failure(0) == errc::timeout));
  BOOST_TEST(says(replies[0]->failure->detail, "no pageserver runs"), replies[0]->failure->detail);
  BOOST_TEST(answered() == 1u);
  BOOST_TEST(client->state().has_value());
  advance(30s);
  BOOST_TEST((failure(1) == errc::timeout));
  // Nothing is wanted: no more attempts.
  BOOST_TEST(!client->next_deadline().has_value());
  BOOST_TEST(!client->state());
}

BOOST_AUTO_TEST_CASE(a_server_that_accepts_and_does_not_greet_is_left_after_five_seconds) {
  fetch(0, 1);
  auto session = next_session(1, false);
  advance(4999ms);
  BOOST_TEST(sessions.size() == 1u);
  advance(1ms);
  settle();
  BOOST_TEST(sessions.empty());
  BOOST_TEST(says(client->state()->text, "no page stream within 5 s"), client->state()->text);
  advance(20ms);
  session = next_session();
  session->answer(session->take());
  until([&] { return is_right(0); });
}

BOOST_AUTO_TEST_CASE(a_refused_stream_is_asked_for_again) {
  fetch(0, 1);
  auto session = next_session(1, false);
  session->send(page_session::error_message("42704", "no timeline of this id"));
  settle();
  BOOST_TEST(sessions.empty());
  BOOST_TEST(says(client->state()->text, "no timeline of this id"), client->state()->text);
  advance(20ms);
  session = next_session();
  session->answer(session->take());
  until([&] { return is_right(0); });
}

BOOST_AUTO_TEST_CASE(an_error_about_a_range_goes_to_its_receiver) {
  const errc codes[] = {errc::not_found, errc::out_of_range, errc::corrupt, errc::io_error, errc::invalid_argument};
  for (std::uint32_t i = 0; i < std::size(codes); ++i) fetch(i, 1);
  const auto last = fetch(100, 1);
  const auto session = next_session(std::size(codes) + 1);
  for (const errc code : codes) session->refuse(session->take(), {code, "as the server says"});
  session->answer(session->take());
  until([&] { return is_right(last); });
  for (std::size_t i = 0; i < std::size(codes); ++i) {
    BOOST_TEST((failure(i) == codes[i]));
    BOOST_TEST(says(replies[i]->failure->detail, "as the server says"));
  }
  BOOST_TEST(located == 1);
}

BOOST_AUTO_TEST_CASE(an_error_that_may_pass_is_like_a_lost_connection) {
  for (const errc code : {errc::unavailable, errc::busy, errc::timeout}) {
    const auto index = fetch(0, 1);
    auto session = next_session();
    session->refuse(session->take(), {code, "the timeline is stopping"});
    until([&] { return sessions.empty(); });
    BOOST_TEST(!replies[index].has_value());
    BOOST_TEST(says(client->state()->text, "the timeline is stopping"), client->state()->text);
    advance(20ms);
    session = next_session();
    session->answer(session->take());
    until([&] { return is_right(index); });
    end(session);
    settle();
  }
}

BOOST_AUTO_TEST_CASE(small_ranges_do_not_wait_for_large_ones) {
  const auto large = fetch(0, 128);
  const auto barely_large = fetch(200, 9);
  const auto large_session = next_session(2);
  const auto small = fetch(500, 8);
  const auto small_session = next_session(1);
  const core::bytes answer = page_session::response(large_session->take());
  large_session->send(core::bytes_view(answer).first(answer.size() / 2));
  small_session->answer(small_session->take());
  until([&] { return is_right(small); });
  BOOST_TEST(answered() == 1u);
  large_session->send(core::bytes_view(answer).subspan(answer.size() / 2));
  large_session->answer(large_session->take());
  until([&] { return is_right(large) && is_right(barely_large); });
  // And in turns, over the same two connections.
  for (std::uint32_t i = 0; i < 30; ++i) fetch(i * 200, i % 2 == 0 ? 1 : 100 + i % 28);
  until([&] {
    for (const auto& each : sessions)
      while (!each->requests.empty()) each->answer(each->take());
    return all_right();
  });
  BOOST_TEST(located == 2);
}

BOOST_AUTO_TEST_CASE(a_bounded_number_of_ranges_is_in_flight) {
  for (std::uint32_t i = 0; i < 300; ++i) fetch(i, 1);
  for (std::uint32_t i = 0; i < 20; ++i) fetch(i, 128);
  const auto small = next_session(8, false);
  const auto large = next_session(8, false);
  settle();
  BOOST_TEST(std::max(small->requests_seen, large->requests_seen) == 64u);
  BOOST_TEST(std::min(small->requests_seen, large->requests_seen) == 8u);
  for (const auto& each : {small, large}) each->greet();
  until([&] {
    for (const auto& each : sessions)
      while (!each->requests.empty()) each->answer(each->take());
    return all_right();
  });
}

BOOST_AUTO_TEST_CASE(a_receiver_may_ask_for_more) {
  int left = 1000;
  std::function<void(core::result<core::bytes_view>)> next = [&](const core::result<core::bytes_view>& pages) {
    BOOST_TEST(pages.has_value());
    // The view stays valid whatever is asked for.
    const std::uint8_t before = (*pages)[0];
    if (left-- > 0)
      client->fetch({{1663, 5, 16384, pg::fork::main}, static_cast<std::uint32_t>(left), left % 3 == 0 ? 9u : 1u},
                    next);
    BOOST_TEST((*pages)[0] == before);
  };
  client->fetch({{1663, 5, 16384, pg::fork::main}, 1, 1}, next);
  until([&] {
    if (auto socket = *io::accept_client(listener.fd)) {
      sessions.push_back(std::make_shared<page_session>(std::move(socket)));
      sessions.back()->greet();
    }
    for (const auto& each : sessions)
      while (!each->requests.empty()) each->answer(each->take());
    return left < 0;
  });
}

BOOST_AUTO_TEST_CASE(a_connection_is_not_lost_while_a_receiver_has_its_pages) {
  std::shared_ptr<page_session> session;
  bool called = false;
  client->fetch({{1663, 5, 16384, pg::fork::main}, 3, 1}, [&](const core::result<core::bytes_view>& pages) {
    end(session);
    // To send these would fail, and the pages would go with the connection.
    for (std::uint32_t i = 0; i < 5; ++i) fetch(i, 1);
    BOOST_TEST(!client->state());
    BOOST_TEST_REQUIRE(pages.has_value());
    BOOST_TEST((*pages)[0] == page_byte(3, 0));
    called = true;
  });
  session = next_session();
  session->answer(session->take());
  until([&] { return called; });
  settle();
  advance(20ms);
  session = next_session(5);
  while (!session->requests.empty()) session->answer(session->take());
  until([&] { return all_right(); });
}

BOOST_AUTO_TEST_CASE(a_client_that_is_destroyed_calls_nobody) {
  bool called = false;
  client->fetch({{1663, 5, 16384, pg::fork::main}, 1, 1}, [&](const auto&) { called = true; });
  const auto session = next_session();
  session->answer(session->take());
  client.reset();
  BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(its_descriptor_may_be_watched_by_an_epoll) {
  const io::unique_fd outer(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{EPOLLIN, {}};
  BOOST_REQUIRE(::epoll_ctl(outer.get(), EPOLL_CTL_ADD, client->poll_fd(), &event) == 0);
  fetch(0, 1);
  const auto session = next_session();
  settle();
  BOOST_TEST(::epoll_wait(outer.get(), &event, 1, 0) == 0);
  session->answer(session->take());
  BOOST_TEST(::epoll_wait(outer.get(), &event, 1, 20'000) == 1);
  until([&] { return is_right(0); });
  BOOST_TEST(::epoll_wait(outer.get(), &event, 1, 0) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
