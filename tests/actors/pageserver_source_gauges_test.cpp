#include "actors/pageserver/source_gauges.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors;
using phase = messages::source_status::phase;

messages::source_status of(phase now, std::uint64_t head) {
  messages::source_status status;
  status.now = now;
  status.source_head = core::lsn(head);
  return status;
}

const core::monotonic_time start = core::monotonic_time(100s);

BOOST_AUTO_TEST_SUITE(pageserver_source_gauges)

BOOST_AUTO_TEST_CASE(lag_is_what_the_source_has_more_and_never_negative) {
  const auto lag =
      pageserver::lag_of(of(phase::streaming, 0x5000), core::lsn(0x4000), core::lsn(0x1000), start, start + 9s);
  BOOST_TEST(lag.bytes == 0x1000u);
  BOOST_TEST(lag.slot_bytes == 0x4000u);
  BOOST_TEST(lag.seconds == 0);
  const auto ahead = pageserver::lag_of(of(phase::streaming, 0), core::lsn(0x4000), core::lsn(0x1000), start, start);
  BOOST_TEST(ahead.bytes == 0u);
  BOOST_TEST(ahead.slot_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(an_import_has_no_durable_position_yet) {
  const auto lag = pageserver::lag_of(of(phase::backing_up, 0x5000), core::lsn(), core::lsn(), start, start);
  BOOST_TEST(lag.slot_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(time_counts_while_the_stream_is_away) {
  for (const auto away : {phase::connecting, phase::waiting_to_retry, phase::failed, phase::backing_up})
    BOOST_TEST(pageserver::lag_of(of(away, 0), core::lsn(), core::lsn(), start, start + 90s).seconds == 90);
  for (const auto there : {phase::streaming, phase::catching_up, phase::resting})
    BOOST_TEST(pageserver::lag_of(of(there, 0), core::lsn(), core::lsn(), start, start + 90s).seconds == 0);
}

BOOST_AUTO_TEST_CASE(the_series_are_there_as_long_as_the_timeline) {
  support::metrics all;
  {
    pageserver::source_gauges gauges(all, "shop", "main", start);
    gauges.update(of(phase::streaming, 0x5000), core::lsn(0x4000), core::lsn(0x1000), start + 10s);
    gauges.update(of(phase::failed, 0x5000), core::lsn(0x4000), core::lsn(0x1000), start + 40s);
    const std::string text = all.render();
    for (const char* line : {"strata_source_lag_bytes{tenant=\"shop\",timeline=\"main\"} 4096",
                             "strata_source_slot_wal_bytes{tenant=\"shop\",timeline=\"main\"} 16384",
                             "strata_source_lag_seconds{tenant=\"shop\",timeline=\"main\"} 30",
                             "strata_source_streaming{tenant=\"shop\",timeline=\"main\"} 0"})
      BOOST_TEST(text.find(line) != std::string::npos, line << " is not in\n" << text);
  }
  BOOST_TEST(all.render().find("shop") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
