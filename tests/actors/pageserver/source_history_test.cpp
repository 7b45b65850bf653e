#include "actors/pageserver/ingest/source_history.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::actors::pageserver;
using core::lsn;

BOOST_AUTO_TEST_SUITE(actors_pageserver_source_history)

namespace {

const std::vector<left_timeline> twice_promoted{{1, lsn(0x5000)}, {2, lsn(0x9000)}};

bool mentions(const core::error& error, const std::string& text) {
  return error.detail.find(text) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_history_file_is_read_as_postgres_writes_it) {
  const auto read = parse_history("1\t0/5000\tno recovery target specified\n\n# a comment\n2\t0/9000\tbefore 2026\n");
  BOOST_REQUIRE(read);
  BOOST_TEST((*read == twice_promoted));
  BOOST_TEST(parse_history("")->empty());
  for (const char* wrong :
       {"x\t0/5000\n", "1\n", "1\tzero\n", "0\t0/1\n", "2\t0/5000\n1\t0/6000\n", "1\t0/5000\n2\t0/4000\n"})
    BOOST_TEST((parse_history(wrong).error().code == core::errc::corrupt), wrong);
}

BOOST_AUTO_TEST_CASE(a_server_promoted_where_it_was_followed_to_or_later_is_followed) {
  for (const std::uint64_t at : {0x4000, 0x4ff8, 0x5000}) {
    const auto from = timeline_to_read(3, twice_promoted, {.timeline = 1, .at = lsn(at), .read_from = lsn(0x3000)});
    BOOST_REQUIRE(from);
    BOOST_TEST(*from == 1u);
  }
  // Nothing to be read again: the next one begins there.
  BOOST_TEST(*timeline_to_read(3, twice_promoted, {.timeline = 1, .at = lsn(0x5000), .read_from = lsn(0x5000)}) == 2u);
  BOOST_TEST(*timeline_to_read(3, twice_promoted, {.timeline = 2, .at = lsn(0x9000), .read_from = lsn(0x4000)}) == 1u);
  BOOST_TEST(*timeline_to_read(3, twice_promoted, {.timeline = 3, .at = lsn(0xa000), .read_from = lsn(0x8000)}) == 2u);
  BOOST_TEST(*timeline_to_read(3, twice_promoted, {.timeline = 3, .at = lsn(0xa000), .read_from = lsn(0x9000)}) == 3u);
  BOOST_TEST(*timeline_to_read(1, {}, {.timeline = 1, .at = lsn(0x10), .read_from = lsn(0x8)}) == 1u);
}

BOOST_AUTO_TEST_CASE(a_server_that_forked_before_is_refused_with_the_fork_point) {
  const auto forked = timeline_to_read(3, twice_promoted, {.timeline = 1, .at = lsn(0x5008), .read_from = lsn(0x3000)});
  BOOST_REQUIRE(!forked);
  BOOST_TEST(forked.error().code == core::errc::conflict);
  for (const char* said : {"not the same server", "0/5000", "0/5008", "strata source resume"})
    BOOST_TEST(mentions(forked.error(), said), said);
  // Promoted from something else: the timeline that was followed is not among its own.
  const auto stranger = timeline_to_read(3, {{1, lsn(0x9000)}}, {.timeline = 2, .at = lsn(1), .read_from = lsn(1)});
  BOOST_TEST(stranger.error().code == core::errc::conflict);
  const auto older = timeline_to_read(1, {}, {.timeline = 2, .at = lsn(1), .read_from = lsn(1)});
  BOOST_TEST(older.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(without_a_trace_the_server_is_read_on_the_timeline_that_has_the_position) {
  BOOST_TEST(*timeline_to_read(3, twice_promoted, {.timeline = 0, .at = lsn(0x9008), .read_from = lsn(0x9008)}) == 3u);
  BOOST_TEST(*timeline_to_read(3, twice_promoted, {.timeline = 0, .at = lsn(0x8008), .read_from = lsn(0x8008)}) == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
