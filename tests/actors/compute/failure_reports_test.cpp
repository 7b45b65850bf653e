#include "actors/compute/failure_reports.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::actors::compute {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(actors_compute_failure_reports)

BOOST_AUTO_TEST_CASE(the_same_failure_is_reported_at_growing_distances) {
  failure_reports reports;
  int told = 0;
  for (auto now = core::monotonic_time(1h); now < core::monotonic_time(2h); now += 1s)
    told += reports.is_due("no server", now) ? 1 : 0;
  // After 0, 10, 30, 70, 150, 310, 630 s, and then every 600 s.
  BOOST_TEST(told == 11);
}

BOOST_AUTO_TEST_CASE(another_reason_and_a_failure_after_a_success_are_news) {
  failure_reports reports;
  const core::monotonic_time now(1h);
  BOOST_TEST(reports.is_due("no server", now));
  BOOST_TEST(!reports.is_due("no server", now + 1s));
  BOOST_TEST(reports.is_due("the server does not answer", now + 2s));
  BOOST_TEST(reports.is_due("no server", now + 3s));
  reports.succeeded();
  BOOST_TEST(reports.is_due("no server", now + 4s));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
