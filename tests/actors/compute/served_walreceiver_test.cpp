#include "actors/compute/served_walreceiver.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "pg/wire/client_frames.hpp"
#include "pg/wire/replication_messages.hpp"
#include "tests/actors/compute/standby_stream.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::actors::compute;
using namespace std::chrono_literals;

namespace {

struct with_walreceiver : tests::standby_stream {
  /// The tags of the answer to a command, "TDCZ".
  std::string answer(const std::string& query) {
    core::bytes output;
    streams = tested.answer(query, head, output);
    return tags(output);
  }
  std::string tags(core::bytes_view output) {
    std::string made;
    while (!output.empty()) {
      const auto frame = pg::wire::parse_backend_frame(output, 1u << 20);
      BOOST_REQUIRE((frame && *frame));
      made += (*frame)->tag;
      if ((*frame)->tag == 'E') said = pg::wire::parse_complaint((*frame)->body).message;
      output = output.subspan((*frame)->size);
    }
    return made;
  }
  std::string start(core::lsn from, int timeline = 1) {
    return answer("START_REPLICATION PHYSICAL " + core::to_string(from) + " TIMELINE " + std::to_string(timeline));
  }
  /// Everything that is served up to the end of the stream, as it would be written to pg_wal.
  core::bytes serve_all(std::size_t piece) {
    core::bytes sent;
    const auto take = [&](const core::bytes& output) {
      BOOST_REQUIRE(output.size() > pg::wire::wal_data_header_size);
      core::append(sent, core::bytes_view(output).subspan(pg::wire::wal_data_header_size));
    };
    for (core::bytes output; tested.put_own(moment(), output); output.clear()) take(output);
    pg::files::record_link_patch patch(*of.view);
    for (core::lsn at = record; at < end();) {
      core::bytes wal = bytes(at, std::min<std::size_t>(piece, end() - at));
      patch.apply(at, wal);
      core::bytes output;
      if (tested.put_wal(at, wal, moment(), output)) take(output);
      at = at + wal.size();
    }
    BOOST_TEST(tested.next() == end());
    return sent;
  }
  [[nodiscard]] served_walreceiver::moment moment() const { return {head, core::wall_time{1s}}; }
  static core::bytes status(core::lsn flushed, core::lsn applied, bool asks) {
    core::bytes made{'r'};
    for (const core::lsn at : {flushed, flushed, applied}) core::append_be(made, at.value);
    core::append_be(made, std::uint64_t{0});
    made.push_back(asks ? 1 : 0);
    return made;
  }

  served_walreceiver tested{of};
  core::lsn head;
  bool streams = false;
  std::string said;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_compute_served_walreceiver, with_walreceiver)

BOOST_AUTO_TEST_CASE(the_stream_begins_where_the_view_does_and_not_a_byte_before) {
  const core::lsn begin = of.view->begin();
  BOOST_TEST(start(begin - 1) == "EZ");
  BOOST_TEST(said.find("the standby begins at " + core::to_string(record)) != std::string::npos, said);
  BOOST_TEST(!streams);
  BOOST_TEST(start(begin, 2) == "EZ");
  BOOST_TEST(!streams);
  BOOST_TEST(start(begin) == "W");
  BOOST_TEST(streams);
  BOOST_TEST(tested.next() == begin);
  BOOST_TEST(start(begin + 1) == "W");
}

BOOST_AUTO_TEST_CASE(only_the_commands_of_a_walreceiver_are_answered) {
  BOOST_TEST(answer("IDENTIFY_SYSTEM") == "TDCZ");
  BOOST_TEST(answer("TIMELINE_HISTORY 1") == "TDCZ");
  BOOST_TEST(answer("set client_encoding to utf8") == "CZ");
  for (const char* other : {"START_WAL_PUSH", "TIMELINE_STATUS", "select 1", "START_REPLICATION PHYSICAL x", ""})
    BOOST_TEST(answer(other) == "EZ", other);
  BOOST_TEST(!streams);
}

BOOST_AUTO_TEST_CASE(it_serves_the_view_and_then_the_branch_without_a_gap_in_pieces_of_any_size) {
  for (const std::size_t piece : {1ul, 8192ul, 1ul << 20}) {
    start(of.view->begin());
    const core::bytes sent = serve_all(piece);
    BOOST_REQUIRE(sent.size() == end() - of.view->begin());
    const core::bytes own = of.view->read(record - 100, 100);
    const std::size_t at = record - of.view->begin();
    BOOST_TEST((core::bytes(sent.begin() + at - 100, sent.begin() + at) == own));
    const core::bytes rest = bytes(of.view->patched_end(), end() - of.view->patched_end());
    BOOST_TEST((core::bytes(sent.end() - rest.size(), sent.end()) == rest));
  }
}

BOOST_AUTO_TEST_CASE(it_goes_on_in_the_middle_of_the_branch_and_sends_nothing_twice) {
  const core::lsn from = record + 9000;
  start(from);
  const core::bytes sent = serve_all(700);
  BOOST_TEST((sent == bytes(from, end() - from)));
}

BOOST_AUTO_TEST_CASE(a_status_has_the_positions_and_asks_for_an_answer) {
  const core::monotonic_time now{5s};
  BOOST_TEST(*tested.take(status(core::lsn(70), core::lsn(60), false), now) == false);
  BOOST_TEST(tested.received() == core::lsn(70));
  BOOST_TEST(tested.replayed() == core::lsn(60));
  BOOST_TEST((tested.replayed_at() == now));
  BOOST_TEST(*tested.take(status(core::lsn(80), core::lsn(70), true), now) == true);
  BOOST_TEST(!tested.take(core::bytes{'x'}, now).has_value());
  BOOST_TEST(tested.replayed() == core::lsn(70));
  // The position stays, and is no longer the present one.
  tested.disconnected();
  BOOST_TEST(tested.replayed() == core::lsn(70));
  BOOST_TEST(!tested.replayed_at().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
