#include "actors/compute/push_session.hpp"

#include <boost/test/unit_test.hpp>

#include "actors/compute/catch_up.hpp"
#include "pg/wire/frames.hpp"
#include "pg/wire/safekeeper_commands.hpp"
#include "tests/support/printing.hpp"

namespace strata::actors::compute {
namespace {

namespace wire = pg::wire;
using consensus::proposer;
using peer_state = proposer::peer::state;

struct with_session {
  void say(core::bytes_view bytes) {
    while (!bytes.empty()) {
      const auto space = session.space();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::copy_n(bytes.begin(), count, space.begin());
      session.received(count);
      bytes = bytes.subspan(count);
    }
  }
  core::bytes greet() {
    core::bytes said;
    wire::append_authentication_ok(said);
    wire::append_parameter_status(said, "server_version", "15.0");
    wire::append_ready_for_query(said);
    return said;
  }
  void establish() {
    session.take_output();
    core::bytes said = greet();
    wire::append_copy_both_response(said);
    say(said);
    const auto event = session.next();
    BOOST_TEST_REQUIRE((event && *event && std::holds_alternative<push_session::established>(**event)));
    session.take_output();
  }
  static core::bytes reply(const consensus::acceptor_message& message) {
    core::bytes body;
    protocol::encode(message, std::nullopt, body);
    core::bytes made;
    wire::append_copy_data_header(made, body.size());
    core::append(made, body);
    return made;
  }
  core::tenant_id tenant = core::make_id<core::tenant_id>();
  core::timeline_id timeline = core::make_id<core::timeline_id>();
  push_session session{tenant, timeline};
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_push_session, with_session)

BOOST_AUTO_TEST_CASE(somebody_else_on_the_members_port_is_not_taken_for_it) {
  const wire::safekeeper_identity expected{2, core::make_id<core::instance_id>(), 4711};
  const auto outcome_with = [&](const wire::safekeeper_identity& answering, const std::string& text) {
    session = push_session(tenant, timeline, expected);
    core::bytes said;
    wire::append_authentication_ok(said);
    wire::append_parameter_status(said, wire::safekeeper_parameter, text.empty() ? wire::to_text(answering) : text);
    wire::append_ready_for_query(said);
    wire::append_copy_both_response(said);
    say(said);
    return session.next();
  };
  auto other = expected;
  BOOST_TEST(outcome_with(expected, ""));
  BOOST_TEST(session.pushing());
  other.id = 3;
  BOOST_TEST(outcome_with(other, "").error().code == core::errc::conflict);
  other = expected;
  other.instance = core::make_id<core::instance_id>();
  BOOST_TEST(outcome_with(other, "").error().code == core::errc::conflict);
  other = expected;
  other.process = 4712;
  BOOST_TEST(outcome_with(other, "").error().code == core::errc::conflict);
  BOOST_TEST(outcome_with(expected, "nonsense").error().code == core::errc::corrupt);
  BOOST_TEST(!session.pushing());
}

BOOST_AUTO_TEST_CASE(it_says_for_which_timeline_it_comes_and_asks_to_push) {
  const core::bytes begin = session.take_output();
  const auto startup = wire::parse_frame(begin, false);
  BOOST_TEST_REQUIRE((startup && *startup && (*startup)->size == begin.size()));
  const auto parameters = wire::parse_startup_parameters((*startup)->body);
  BOOST_TEST_REQUIRE(parameters);
  const auto client = wire::parse_wal_client(*parameters);
  BOOST_TEST_REQUIRE(client);
  BOOST_TEST((client->tenant == tenant));
  BOOST_TEST((client->timeline == timeline));

  say(greet());
  BOOST_TEST((!*session.next()));
  const core::bytes asked = session.take_output();
  const auto query = wire::parse_frame(asked, true);
  BOOST_TEST_REQUIRE((query && *query));
  const auto command =
      wire::parse_wal_command({reinterpret_cast<const char*>((*query)->body.data()), (*query)->body.size()});
  BOOST_TEST_REQUIRE(command);
  BOOST_TEST(std::get<wire::start_wal_push>(*command).protocol_version == 3u);
  BOOST_TEST(!std::get<wire::start_wal_push>(*command).allow_timeline_creation);
  BOOST_TEST(!session.pushing());
}

BOOST_AUTO_TEST_CASE(replies_are_understood_however_they_are_cut) {
  establish();
  const consensus::append_reply told{1, {7}, core::lsn(0x5000), core::lsn(0x4000)};
  const core::bytes bytes = reply(told);
  for (const auto byte : bytes) {
    BOOST_TEST_REQUIRE((!*session.next()));
    say(core::bytes_view(&byte, 1));
  }
  const auto event = session.next();
  BOOST_TEST_REQUIRE((event && *event));
  BOOST_TEST((std::get<protocol::received_reply>(**event).message == consensus::acceptor_message(told)));
  core::bytes many;
  for (int i = 0; i < 1000; ++i) core::append(many, bytes);
  int heard = 0;
  for (core::bytes_view rest = many; !rest.empty();) {
    const std::size_t count = std::min<std::size_t>(rest.size(), 777);
    say(rest.first(count));
    rest = rest.subspan(count);
    while (*session.next()) ++heard;
  }
  BOOST_TEST(heard == 1000);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_told_with_its_words) {
  core::bytes said = greet();
  wire::append_error(said, "55006", "of another cluster");
  say(said);
  const auto event = session.next();
  BOOST_TEST_REQUIRE(!event.has_value());
  BOOST_TEST(event.error().code == core::errc::unavailable);
  BOOST_TEST(event.error().detail.find("of another cluster") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_safekeeper_without_the_timeline_is_told_from_one_that_refuses) {
  core::bytes said = greet();
  wire::append_error(said, wire::sqlstate_of(core::errc::not_found), "timeline 1 is not on this safekeeper");
  say(said);
  const auto event = session.next();
  BOOST_TEST_REQUIRE(!event.has_value());
  BOOST_TEST(event.error().code == core::errc::not_found);
  BOOST_TEST(event.error().detail.find("emptied") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_safekeeper_is_refused) {
  const std::string http = "HTTP/1.1 400 Bad Request\r\n";
  say({reinterpret_cast<const std::uint8_t*>(http.data()), http.size()});
  BOOST_TEST(session.next().error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_too_long_is_refused_by_its_header) {
  establish();
  core::bytes said;
  wire::append_copy_data_header(said, 100u << 20);
  say(said);
  BOOST_TEST(session.next().error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(older_wal_is_asked_of_those_who_have_it_each_in_turn) {
  const auto peer = [](std::uint64_t id, peer_state now, std::uint64_t flush) {
    proposer::peer made;
    made.now = now;
    made.id = {id};
    made.flush_lsn = core::lsn(flush);
    return made;
  };
  const std::vector<proposer::peer> peers = {peer(1, peer_state::streaming, 500), peer(2, peer_state::streaming, 900),
                                             peer(3, peer_state::streaming, 100), peer(4, peer_state::voting, 900)};
  const auto ask = [&](std::uint64_t from, std::size_t attempt) {
    const auto found = choose_donor(peers, {3}, core::lsn(from), attempt);
    return found ? found->value : 0;
  };
  BOOST_TEST(ask(100, 0) == 2u);
  BOOST_TEST(ask(100, 1) == 1u);
  BOOST_TEST(ask(100, 2) == 2u);
  BOOST_TEST(ask(500, 1) == 2u);
  BOOST_TEST(ask(900, 0) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
