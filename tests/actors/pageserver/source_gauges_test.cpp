#include "actors/pageserver/ingest/source_gauges.hpp"

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

std::string value_of(runtime::metrics& all, const std::string& metric) {
  const std::string text = all.render();
  const std::string series = metric + "{tenant=\"shop\",timeline=\"main\"} ";
  const auto at = text.find(series);
  return at == std::string::npos ? "absent" : text.substr(at + series.size(), text.find('\n', at) - at - series.size());
}

BOOST_AUTO_TEST_SUITE(actors_pageserver_source_gauges)

BOOST_AUTO_TEST_CASE(lag_that_is_not_known_is_not_a_number) {
  runtime::metrics all;
  pageserver::source_gauges gauges(all, {{"tenant", "shop"}, {"timeline", "main"}});
  gauges.update(of(phase::streaming, 0x5000), {.bytes = 0x1000, .since_message = 1500ms}, core::lsn(0x1000));
  BOOST_TEST(value_of(all, "strata_source_lag_bytes") == "4096");
  BOOST_TEST(value_of(all, "strata_source_lag_seconds") == "1.5");
  gauges.update(of(phase::failed, 0x5000), {}, core::lsn(0x1000));
  BOOST_TEST(value_of(all, "strata_source_lag_bytes") == "Nan");
  BOOST_TEST(value_of(all, "strata_source_lag_seconds") == "Nan");
}

BOOST_AUTO_TEST_CASE(a_slot_keeps_what_lies_between_its_begin_and_the_head) {
  runtime::metrics all;
  pageserver::source_gauges gauges(all, {{"tenant", "shop"}, {"timeline", "main"}});
  const auto kept = [&](std::uint64_t head, core::lsn from) {
    gauges.update(of(phase::streaming, head), {}, from);
    return value_of(all, "strata_source_slot_wal_bytes");
  };
  BOOST_TEST(kept(0x5000, core::lsn(0x1000)) == "16384");
  BOOST_TEST(kept(0x1000, core::lsn(0x1000)) == "0");
  BOOST_TEST(kept(0, core::lsn(0x1000)) == "0");  // it has not told yet
  BOOST_TEST(kept(0x5000, core::lsn()) == "0");   // an import has no durable position
}

BOOST_AUTO_TEST_CASE(the_stream_is_there_or_away) {
  runtime::metrics all;
  pageserver::source_gauges gauges(all, {{"tenant", "shop"}, {"timeline", "main"}});
  for (const auto away : {phase::connecting, phase::waiting_to_retry, phase::failed, phase::backing_up}) {
    gauges.update(of(away, 0), {}, {});
    BOOST_TEST(value_of(all, "strata_source_streaming") == "0");
  }
  for (const auto there : {phase::streaming, phase::catching_up, phase::idle}) {
    gauges.update(of(there, 0), {}, {});
    BOOST_TEST(value_of(all, "strata_source_streaming") == "1");
  }
}

BOOST_AUTO_TEST_CASE(the_series_are_there_as_long_as_the_timeline) {
  runtime::metrics all;
  {
    const pageserver::source_gauges gauges(all, {{"tenant", "shop"}, {"timeline", "main"}});
    BOOST_TEST(all.render().find("shop") != std::string::npos);
  }
  BOOST_TEST(all.render().find("shop") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
