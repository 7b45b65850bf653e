#include "pg/wire/replication_messages.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

#include "pg/client/stream_messages.hpp"
#include "pg/wire/frames.hpp"

using namespace strata;
using namespace strata::pg::wire;

BOOST_AUTO_TEST_SUITE(pg_wire_replication_messages)

BOOST_AUTO_TEST_CASE(what_the_server_says_is_what_a_client_reads) {
  core::bytes out;
  append_wal_data_header(out, core::lsn(0x100), core::lsn(0x200), -7, 3);
  BOOST_TEST(out.size() == wal_data_header_size);
  core::append(out, core::bytes{1, 2, 3});
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 1) == out.size() - 1);
  const auto data = pg::client::parse_stream_message(core::bytes_view(out).subspan(5));
  BOOST_REQUIRE(data);
  const auto& wal = std::get<pg::client::wal_data>(*data);
  BOOST_TEST((wal.start == core::lsn(0x100) && wal.server_end == core::lsn(0x200) && wal.sent == -7));
  BOOST_TEST(wal.bytes.size() == 3u);

  out.clear();
  append_keepalive(out, core::lsn(0x300), 9, true);
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 1) == out.size() - 1);
  const auto alive = pg::client::parse_stream_message(core::bytes_view(out).subspan(5));
  BOOST_REQUIRE(alive);
  const auto& said = std::get<pg::client::keepalive>(*alive);
  BOOST_TEST((said.server_end == core::lsn(0x300) && said.sent == 9 && said.reply_requested));
}

BOOST_AUTO_TEST_CASE(what_a_client_says_is_read) {
  const auto status =
      parse_client_message(pg::client::encode_status(core::lsn(3), core::lsn(2), core::lsn(1), 5, true));
  BOOST_REQUIRE(status);
  const auto& said = std::get<standby_status>(*status);
  BOOST_TEST((said.written == core::lsn(3) && said.flushed == core::lsn(2) && said.applied == core::lsn(1)));
  BOOST_TEST(said.reply_requested);

  core::bytes feedback{'h'};
  feedback.resize(25);
  BOOST_TEST(std::holds_alternative<standby_feedback>(*parse_client_message(feedback)));
  const auto page = parse_client_message(core::bytes{'z', 0, 0, 0, 0, 0, 0, 0, 2, 7, 8});
  BOOST_REQUIRE(page);
  BOOST_TEST(std::get<pageserver_status>(*page).feedback.size() == 2u);
}

BOOST_AUTO_TEST_CASE(anything_else_is_refused) {
  BOOST_TEST(!parse_client_message({}));
  BOOST_TEST(!parse_client_message(core::bytes{'q'}));
  BOOST_TEST(!parse_client_message(core::bytes{'z', 0, 0, 0, 0, 0, 0, 0, 3, 7, 8}));
  BOOST_TEST(!parse_client_message(core::bytes{'z', 255, 255, 255, 255, 255, 255, 255, 255}));
  const core::bytes status = pg::client::encode_status({}, {}, {}, 0, false);
  for (std::size_t size = 0; size < status.size(); ++size)
    BOOST_TEST(!parse_client_message(core::bytes_view(status).first(size)));
}

BOOST_AUTO_TEST_SUITE_END()
