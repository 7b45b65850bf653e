#include "control/presence_search.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <vector>

#include "tests/support/printing.hpp"

namespace strata::control {
namespace {

using core::lsn;
constexpr lsn mib(std::uint64_t count) { return lsn(count << 20); }

struct found {
  std::optional<lsn> nearest;
  unsigned looks = 0;
};
found search(lsn first, lsn missing, lsn last, const std::function<bool(lsn)>& is_there, unsigned looks_max = 12) {
  presence_search made(first, missing, last, looks_max);
  found done;
  while (const auto at = made.next()) {
    BOOST_TEST((first <= *at && *at <= last));
    BOOST_TEST((at != missing));
    made.seen(is_there(*at));
    ++done.looks;
  }
  done.nearest = made.nearest();
  return done;
}

std::uint64_t distance(const found& of, lsn from) {
  BOOST_TEST_REQUIRE(of.nearest.has_value());
  return of.nearest->value < from.value ? from.value - of.nearest->value : of.nearest->value - from.value;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(control_presence_search)

BOOST_AUTO_TEST_CASE(the_end_of_what_was_dropped_before_is_found) {
  const auto done = search(mib(1), mib(90), mib(100), [](lsn at) { return at < mib(60); });
  BOOST_TEST((*done.nearest < mib(60)));
  BOOST_TEST(distance(done, mib(60)) < (1u << 20));
  BOOST_TEST(done.looks <= 12u);
}

BOOST_AUTO_TEST_CASE(the_begin_of_what_was_created_later_is_found) {
  const auto done = search(mib(1), mib(10), mib(100), [](lsn at) { return at >= mib(60); });
  BOOST_TEST(distance(done, mib(60)) < (1u << 20));
}

BOOST_AUTO_TEST_CASE(what_came_and_went_is_found_if_it_stayed_long_enough) {
  const auto was_there = [](lsn at) { return at >= mib(40) && at < mib(60); };
  BOOST_TEST(search(mib(1), mib(90), mib(100), was_there).nearest.has_value());
  BOOST_TEST(search(mib(1), mib(10), mib(100), was_there).nearest.has_value());
}

BOOST_AUTO_TEST_CASE(a_search_ends_where_nothing_is_and_at_the_edges) {
  const auto nowhere = [](lsn) { return false; };
  const auto none = search(mib(1), mib(50), mib(100), nowhere);
  BOOST_TEST(!none.nearest.has_value());
  BOOST_TEST(none.looks == 12u);
  BOOST_TEST(search(mib(1), mib(1), mib(1), nowhere).looks == 0u);
  BOOST_TEST(search(mib(1), mib(1), mib(1) + 4096, nowhere).looks < 4u);
  const auto at_the_begin = search(mib(1), mib(1), mib(100), [](lsn at) { return at >= mib(2); });
  BOOST_TEST(distance(at_the_begin, mib(2)) < (1u << 20));
  BOOST_TEST(search(mib(1), mib(100), mib(100), [](lsn at) { return at < mib(2); }).nearest.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::control
