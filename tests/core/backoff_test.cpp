#include "core/backoff.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using strata::core::backoff;

BOOST_AUTO_TEST_SUITE(core_backoff)

BOOST_AUTO_TEST_CASE(waits_double_up_to_the_longest) {
  backoff waits({.first = 100ms, .longest = 1s});
  for (const int wanted : {100, 200, 400, 800, 1000, 1000}) BOOST_TEST(waits.next().count() == wanted);
  BOOST_TEST(waits.failures() == 6);
}

BOOST_AUTO_TEST_CASE(waits_stay_the_longest_however_many_attempts_fail) {
  backoff waits({.first = 1min, .longest = 1h});
  auto last = waits.next();
  for (int i = 0; i < 1000; ++i) {
    const auto next = waits.next();
    BOOST_TEST(next.count() >= last.count());
    last = next;
  }
  BOOST_TEST(last.count() == std::chrono::milliseconds(1h).count());
}

BOOST_AUTO_TEST_CASE(waits_grow_by_another_factor) {
  backoff waits({.first = 100ms, .longest = 300ms, .growth_percent = 50});
  for (const int wanted : {100, 150, 225, 300, 300}) BOOST_TEST(waits.next().count() == wanted);
}

BOOST_AUTO_TEST_CASE(success_starts_the_waits_over) {
  backoff waits({.first = 100ms, .longest = 1s});
  waits.next();
  waits.next();
  waits.reset();
  BOOST_TEST(waits.failures() == 0);
  BOOST_TEST(waits.next().count() == 100);
}

BOOST_AUTO_TEST_SUITE_END()
